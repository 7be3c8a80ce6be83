"""The control plane does what Kubernetes does, and simulated nodes do what kubelets do."""

import pytest
from testbed.errors import ApiError, BedError
from testbed.simulated_nodes import exit_container, is_ready, lose_node, restore_node
from testbed.waiting import wait_for

pytestmark = pytest.mark.control_plane


@pytest.fixture
def pods(simulated_namespace):
    return f"/api/v1/namespaces/{simulated_namespace}/pods"


@pytest.fixture
def run_pod(control_plane, pods):
    """Return a function that makes a pod and waits until it runs."""

    def run(name="subject", **spec):
        body = {"metadata": {"name": name}, "spec": {"containers": [container()]} | spec}
        control_plane.api.create(pods, body)
        path = f"{pods}/{name}"
        wait_for(lambda: phase(control_plane.api.get(path)) == "Running", f"start of {name}")
        return path

    return run


def container():
    return {"name": "main", "image": "none"}


def phase(pod):
    return pod["status"]["phase"]


def test_a_pod_is_bound_and_runs_with_an_address(control_plane, run_pod):
    pod = control_plane.api.get(run_pod())

    assert pod["spec"]["nodeName"].startswith("sim-")
    assert pod["status"]["podIP"].startswith("10.244.")
    assert is_ready(pod)


def test_a_pod_waits_for_the_reason_that_its_annotation_gives(control_plane, pods):
    metadata = {"name": "stuck", "annotations": {"testbed/waiting": "ImagePullBackOff"}}
    control_plane.api.create(pods, {"metadata": metadata, "spec": {"containers": [container()]}})

    def reason():
        statuses = control_plane.api.get(f"{pods}/stuck")["status"].get("containerStatuses")
        return statuses and statuses[0]["state"]["waiting"]["reason"]

    assert wait_for(reason, "state of the container") == "ImagePullBackOff"
    assert phase(control_plane.api.get(f"{pods}/stuck")) == "Pending"


@pytest.mark.parametrize(
    ("policy", "code", "ends"),
    [
        ("Never", 0, "Succeeded"),
        ("Never", 137, "Failed"),
        ("OnFailure", 0, "Succeeded"),
        ("OnFailure", 137, "Running"),
        ("Always", 0, "Running"),
    ],
)
def test_a_container_that_exits_is_started_again_where_its_pod_says_so(
    control_plane, simulated_namespace, run_pod, policy, code, ends
):
    path = run_pod(restartPolicy=policy)

    exit_container(control_plane.api, simulated_namespace, "subject", code, message="last words")

    pod = control_plane.api.get(path)
    (status,) = pod["status"]["containerStatuses"]
    state = status["lastState"] if ends == "Running" else status["state"]
    assert phase(pod) == ends
    assert is_ready(pod) == (ends == "Running")
    assert status["restartCount"] == (ends == "Running")
    assert state["terminated"]["exitCode"] == code
    assert state["terminated"]["message"] == "last words"


def test_the_pods_of_a_node_that_falls_silent_are_to_be_deleted(control_plane, run_pod):
    path = run_pod(nodeName="sim-49")

    lose_node(control_plane.api, "sim-49")

    wait_for(
        lambda: "deletionTimestamp" in control_plane.api.get(path)["metadata"],
        "eviction from a lost node",
        seconds=40,
    )
    assert not is_ready(control_plane.api.get("/api/v1/nodes/sim-49"))
    restore_node(control_plane.api, "sim-49")


def test_a_deleted_pod_is_gone(control_plane, run_pod):
    path = run_pod()
    control_plane.api.delete(path)
    wait_for(lambda: not control_plane.api.exists(path), "end of the pod", seconds=10)


def test_a_watch_outlives_the_api_server(control_plane, simulated_namespace):
    path = f"/api/v1/namespaces/{simulated_namespace}/configmaps"
    version = control_plane.api.get(path)["metadata"]["resourceVersion"]
    control_plane.faults.kill_api_server()
    control_plane.faults.restore_api_server()

    control_plane.api.create(path, {"metadata": {"name": "news"}})

    watch = control_plane.api.watch(path, seconds=10, version=version)
    names = (found["metadata"]["name"] for kind, found in watch if kind == "ADDED")
    assert "news" in names


def test_a_service_account_may_do_only_what_it_was_given(control_plane, simulated_namespace):
    config = control_plane.write_kubeconfig(simulated_namespace, "default")
    with pytest.raises(BedError, match="cannot list resource"):
        control_plane.kubectl(f"--kubeconfig={config}", "get", "pods", "-n", simulated_namespace)


def test_refusals_give_status_and_reason(control_plane, pods):
    with pytest.raises(ApiError) as caught:
        control_plane.api.create(pods, {"metadata": {"name": "Not a name"}})
    assert (caught.value.status, caught.value.reason) == (422, "Invalid")
