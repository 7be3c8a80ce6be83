"""The chart on a real API server: installed, upgraded, uninstalled and installed again."""

import shutil
import uuid

import pytest
import yaml
from asked_rights import refused
from chart_releases import DEFINITION, Release, undefine
from charts import CHART, CLUSTER_WIDE, VALUES, HelmError, helm, program, render
from cluster_jobs import Jobs, define, job
from testbed.waiting import wait_for

pytestmark = [pytest.mark.control_plane, pytest.mark.timeout(180)]

LEFT_OUT = {"ServiceMonitor", "PrometheusRule", "Pod"}
"""Kinds that are not known here; and a pod is refused until its service account is there."""


@pytest.fixture
def undefined(control_plane):
    """GossipTrainingJobs are not known yet; in the end they are again, for other tests."""
    program()
    undefine(control_plane)
    yield
    undefine(control_plane)  # Helm's marks go too
    define(control_plane)


@pytest.fixture
def release(control_plane, simulated_namespace, tmp_path):
    """A release of the test's own, in a namespace that admits restricted pods only."""
    program()
    control_plane.kubectl(
        *("label", "namespace", simulated_namespace),
        "pod-security.kubernetes.io/enforce=restricted",
    )
    made = Release(control_plane, simulated_namespace, tmp_path)
    yield made
    made.clear_away()


def uids(jobs, name):
    return {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in jobs.pods(name)}


def columns(bed):
    [version] = bed.api.get(DEFINITION)["spec"]["versions"]
    return [column["name"] for column in version["additionalPrinterColumns"]]


def older_chart(folder):
    """Package a chart that has another version and an older definition."""
    copy = shutil.copytree(CHART, folder / "older")
    file = copy / "files" / "crd.yaml"
    definition = yaml.safe_load(file.read_text())
    definition["spec"]["versions"][0]["additionalPrinterColumns"].pop()
    file.write_text(yaml.safe_dump(definition, sort_keys=False))
    helm("package", copy, "--version", "0.0.9", "--destination", folder)
    return folder / "gossip-training-0.0.9.tgz"


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_the_api_server_takes_every_object_as_it_is_rendered(
    control_plane, definition, simulated_namespace, values
):
    options = ()
    if "watchNamespaces" in values.read_text():  # whose namespaces are not there
        options = ("--set", f"watchNamespaces={{{simulated_namespace}}}")
    objects = render(*options, namespace=simulated_namespace, values=values)
    text = yaml.safe_dump_all(one for one in objects if one["kind"] not in LEFT_OUT)

    control_plane.kubectl(
        *("apply", "--dry-run=server", "--server-side", "--force-conflicts"),
        *("--validate=strict", "-f", "-"),
        stdin=text,
    )


def test_on_a_fresh_cluster_the_operator_trains_under_the_charts_account(
    control_plane, undefined, proxy, release
):
    notes = release.install()
    assert f"kubectl rollout status deployment/gossip-training -n {release.namespace}" in notes
    assert release.deployment["status"]["readyReplicas"] == 1

    operator = release.start_operator(proxy)
    wait_for(lambda: operator.metric("gossip_operator_leader") == 1, "the leader")
    jobs = Jobs(control_plane, release.namespace)
    name = jobs.create(job(replicas=2))
    jobs.wait_ready(name, 2)
    jobs.finish(name)
    jobs.wait_condition(name, "Complete")
    assert refused(proxy.requests, release.namespace) == []


def test_the_job_that_the_notes_suggest_is_taken(control_plane, undefined, release):
    notes = release.install()
    suggested = notes.split("<<'JOB'\n")[1].split("\nJOB\n")[0]

    control_plane.kubectl("apply", "-n", release.namespace, "-f", "-", stdin=suggested)

    assert Jobs(control_plane, release.namespace).get("first")


def test_an_upgrade_brings_the_new_definition_and_leaves_a_running_job_alone(
    control_plane, undefined, release, tmp_path
):
    release.install(chart=older_chart(tmp_path))
    old_columns = columns(control_plane)
    old = release.start_operator()
    jobs = Jobs(control_plane, release.namespace)
    name = jobs.create(job(replicas=2))
    jobs.wait_ready(name, 2)
    before, generation = uids(jobs, name), jobs.get(name)["metadata"]["generation"]

    release.upgrade("--set", "replicas=2", "--set", "operator.qps=20")
    old.stop()
    operator = release.start_operator()

    wait_for(lambda: operator.metric("gossip_operator_leader") == 1, "the leader")
    assert release.deployment["status"]["readyReplicas"] == 2
    assert len(columns(control_plane)) == len(old_columns) + 1
    jobs.change(name, {"workers": {"replicas": 3}})
    jobs.wait_ready(name, 3)
    assert before.items() <= uids(jobs, name).items()
    assert jobs.get(name)["metadata"]["generation"] == generation + 1


def test_uninstalling_keeps_definition_and_jobs_and_a_new_release_takes_them_over(
    control_plane, undefined, release
):
    release.install()
    old = release.start_operator()
    jobs = Jobs(control_plane, release.namespace)
    name = jobs.create(job(replicas=2))
    jobs.wait_ready(name, 2)
    before = uids(jobs, name)

    old.stop()
    release.uninstall()
    assert uids(jobs, name) == before

    release.install()
    operator = release.start_operator()
    wait_for(lambda: operator.metric("gossip_operator_leader") == 1, "the leader")
    jobs.delete_pod(jobs.live(name)[1])
    wait_for(lambda: 1 in jobs.live(name), "a replacement by the new operator")
    assert jobs.live(name)[0]["metadata"]["uid"] in before.values()


def test_a_definition_that_kubectl_applied_is_taken_over_only_when_that_is_said(
    control_plane, undefined, release
):
    define(control_plane)

    with pytest.raises(HelmError, match="invalid ownership metadata"):
        release.install()

    release.install("--take-ownership")
    labels = control_plane.api.get(DEFINITION)["metadata"]["labels"]
    assert labels["app.kubernetes.io/managed-by"] == "Helm"


def test_a_namespaced_operator_serves_its_namespaces_and_asks_for_nothing_elsewhere(
    control_plane, definition, release
):
    with control_plane.namespace() as served, control_plane.namespace() as other:
        release.install("--set", "crds.enabled=false", "--set", f"watchNamespaces={{{served}}}")
        operator = release.start_operator()
        elsewhere = Jobs(control_plane, other)
        ignored = elsewhere.create(job(replicas=1))
        jobs = Jobs(control_plane, served)
        name = jobs.create(job(replicas=2))
        jobs.wait_ready(name, 2)

        assert operator.metric("gossip_operator_api_requests_total", code="403") == 0
        assert "status" not in elsewhere.get(ignored)
        assert {one["kind"] for one in release.objects} & CLUSTER_WIDE == {"ClusterRole"}


def test_everything_has_room_for_the_longest_names(control_plane, definition, tmp_path):
    namespace = f"{'n' * 53}{uuid.uuid4().hex[:10]}"
    control_plane.api.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
    release = Release(control_plane, namespace, tmp_path, "9" + "r" * 52)
    try:
        release.install("--set", "crds.enabled=false", "--set", "replicas=2")
        operator = release.start_operator()
        wait_for(lambda: operator.metric("gossip_operator_leader") == 1, "the leader")
        assert release.deployment["status"]["readyReplicas"] == 2
    finally:
        release.clear_away()
        control_plane.api.delete(f"/api/v1/namespaces/{namespace}")
