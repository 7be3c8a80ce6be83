"""What the operator tells Prometheus of jobs while they live, and how it has them scraped."""

import pytest
from cluster_jobs import job
from operators import Operator
from pod_monitors import API, pod_monitors
from prometheus import check_metrics
from prometheus_client.parser import text_string_to_metric_families
from status_stubs import status_stubs, worker
from testbed.waiting import wait_for

from gossip_api.metrics import jobs as registry
from gossip_api.metrics.operator import OPERATOR

pytestmark = [pytest.mark.control_plane, pytest.mark.timeout(180)]

SERIES = {metric.name for metric in registry.JOB} - {registry.CHECKPOINT_INTERVAL.name}
"""All of a job that has no checkpoints, as these have none."""
ENDED = {registry.COMPLETED.name}
ONLY_WHILE_TRAINING = {registry.SAMPLE_RATE.name, registry.ETA.name}
NOT_IN_THE_RESULT = {registry.CONSENSUS_DISTANCE.name}
"""What the result lacks with which these tests end a job."""


@pytest.fixture
def stubs(jobs):
    with status_stubs(jobs) as made:
        yield made


@pytest.fixture
def monitors(control_plane):
    with pod_monitors(control_plane):
        yield


def told(operator, name):
    """Return the samples about a job by metric, as labels and value."""
    found = {}
    for family in text_string_to_metric_families(operator.page()):
        for sample in family.samples:
            if sample.labels.get("job_name") == name:
                found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def figure(told, metric):
    ((labels, value),) = told[metric.name]
    assert set(labels) == set(registry.IDENTITY)
    return value


def test_a_jobs_series_are_its_status_outlive_its_pods_and_end_with_it(jobs, operator, stubs):
    name = jobs.create(job(replicas=3, runPolicy={"cleanPods": "All"}))
    jobs.wait_ready(name, 3)
    stubs.serve_job(name, step=100)
    # The evaluator alone may be heard first, which tells of a score and of no step.
    wait_for(
        lambda: (t := told(operator, name)) and t.get(registry.STEP.name, [((), 0)])[0][1] == 100,
        "progress",
    )
    for pod in jobs.live(name).values():  # an end is estimated once training was seen to get on
        stubs.statuses[pod["metadata"]["name"]] = worker(pod, step=120)

    training = wait_for(
        lambda: (t := told(operator, name)).keys() == SERIES - ENDED and t, "all series", seconds=40
    )
    assert figure(training, registry.STEP) == 120
    assert figure(training, registry.PROGRESS) == figure(training, registry.EPOCH) == 0.25
    assert figure(training, registry.SAMPLE_RATE) == pytest.approx(300)
    assert figure(training, registry.LOSS) == 0.5
    assert figure(training, registry.ACCURACY) == 0.75
    assert figure(training, registry.CONSENSUS_DISTANCE) == 0.01
    assert {labels["namespace"] for labels, _ in training[registry.LOSS.name]} == {jobs.namespace}
    workers = {labels["state"]: value for labels, value in training[registry.WORKERS.name]}
    assert (workers["desired"], workers["ready"], workers["minimum"]) == (3, 3, 1)
    check_metrics(operator.page())

    jobs.finish(name, accuracy=0.875)
    jobs.wait_condition(name, "Complete")
    wait_for(lambda: not jobs.pods(name), "the end of all pods", seconds=40)
    finished = told(operator, name)
    assert finished.keys() == SERIES - ONLY_WHILE_TRAINING - NOT_IN_THE_RESULT
    assert figure(finished, registry.ACCURACY) == 0.875
    assert figure(finished, registry.COMPLETED) >= figure(finished, registry.BEGAN)
    assert [s["state"] for s, value in finished[registry.STATE.name] if value] == ["Succeeded"]

    jobs.bed.api.delete(f"{jobs.path}/{name}")
    wait_for(lambda: not told(operator, name), "the end of the job's series")


def test_the_page_has_what_the_registry_says_of_the_operator_and_no_more(jobs, operator):
    name = jobs.create(job(replicas=2))
    jobs.wait_ready(name, 2)
    families = text_string_to_metric_families(operator.page())
    sampled = {family.name for family in families if family.samples}
    own = {family for family in sampled if family.startswith("gossip_operator_")}
    # A job that comes up without trouble costs no request that fails.
    errors = "gossip_operator_api_errors"
    assert own | {errors} == {metric.name.removesuffix("_total") for metric in OPERATOR}
    assert operator.metric("gossip_operator_actions_total", action="create_pod") == 3
    assert operator.metric("gossip_operator_actions_total", action="issue_credentials") == 1
    assert operator.metric("gossip_operator_reconciles_total", result="success") > 0
    assert operator.metric("gossip_operator_info") == 1


def test_a_job_is_scraped_where_pod_monitors_are_served_until_it_is_gone(monitors, jobs, operator):
    name = jobs.create(job(replicas=1))
    quiet = jobs.create(job(replicas=1, monitoring={"podMonitor": "Never"}))
    path = monitor(jobs, name)
    found = wait_for(lambda: jobs.bed.api.exists(path) and jobs.bed.api.get(path), path)
    (endpoint,) = found["spec"]["podMetricsEndpoints"]
    targets = {one.get("targetLabel") for one in endpoint["relabelings"]}
    assert {"job_name", "role", "rank"} <= targets
    jobs.wait_ready(name, 1)
    assert names_of(selected(jobs, found)) == names_of(jobs.pods(name))
    jobs.wait_ready(quiet, 1)
    assert not jobs.bed.api.exists(monitor(jobs, quiet))

    jobs.bed.api.delete(f"{jobs.path}/{name}")
    # The collector of garbage looks for new kinds every thirty seconds.
    wait_for(lambda: not jobs.bed.api.exists(path), "the PodMonitor's end", seconds=90)


def test_a_job_that_is_there_is_scraped_once_pod_monitors_come_to_be_served(
    control_plane, jobs, simulated_namespace, tmp_path
):
    options = ("--no-leader-election", "--relist-seconds", "1")
    config, log = control_plane.kubeconfig, tmp_path / "operator.log"
    operator = Operator(config, log, (simulated_namespace,), options)
    operator.start()
    try:
        name = jobs.create(job(replicas=1))
        jobs.wait_ready(name, 1)
        with pod_monitors(control_plane):
            path = monitor(jobs, name)
            wait_for(lambda: jobs.bed.api.exists(path), "the PodMonitor", seconds=40)
    finally:
        operator.kill()
        print(log.read_text())


def monitor(jobs, name):
    return f"{API}/namespaces/{jobs.namespace}/podmonitors/{name}-peers"


def selected(jobs, found):
    labels = found["spec"]["selector"]["matchLabels"].items()
    selector = ",".join(f"{key}={value}" for key, value in labels)
    return jobs.bed.api.list(jobs.pods_path, labelSelector=selector)


def names_of(pods):
    return {pod["metadata"]["name"] for pod in pods}
