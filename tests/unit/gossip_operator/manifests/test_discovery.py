"""The headless Service and where processes find their peers."""

from manifest_jobs import UID, children_of, environment_of, job, pod_of


def test_the_service_names_pods_from_their_start_and_balances_nothing():
    spec = children_of(job())["Service"]["spec"]
    assert spec["clusterIP"] == "None"
    assert spec["publishNotReadyAddresses"] is True


def test_the_service_selects_the_jobs_pods_and_not_those_of_a_job_of_the_same_name():
    selected = children_of(job())["Service"]["spec"]["selector"]
    assert selected == {"gossip.training/job-name": "mnist", "gossip.training/job-uid": UID}
    assert selected.items() <= pod_of(job())["metadata"]["labels"].items()


def test_the_service_has_the_ports_that_the_job_names():
    ports = children_of(job(discovery={"port": 5000}, monitoring={"metricsPort": 6000}))
    assert {each["name"]: each["port"] for each in ports["Service"]["spec"]["ports"]} == {
        "peers": 5000,
        "metrics": 6000,
    }


def test_a_process_watches_the_slices_of_the_service():
    assert environment_of(pod_of(job()))["GOSSIP_PEERS"] == "endpointslices:team/mnist-peers"


def test_a_process_looks_up_the_service_where_the_job_says_dns():
    environment = environment_of(pod_of(job(discovery={"source": "DNS"})))
    assert environment["GOSSIP_PEERS"] == "dns:mnist-peers.team.svc"
