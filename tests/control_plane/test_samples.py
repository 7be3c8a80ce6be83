"""The job files that come along, as the API server takes them: the jobs, and all their objects."""

from pathlib import Path

import pytest
from cluster_jobs import IMAGE
from testbed.waiting import wait_for

from gossip_api.loading import load_job
from gossip_api.names import peers_name
from gossip_operator.cli import main as operator_main
from gossip_operator.render import first_members

pytestmark = [pytest.mark.control_plane, pytest.mark.timeout(120)]

FOLDER = Path("manifests/samples")
SAMPLES = sorted(FOLDER.glob("*.yaml"))
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"


def named(path):
    return path.stem


@pytest.fixture(scope="module")
def shared_namespace(control_plane, definition):
    """A namespace for dry runs, which admits no pod that may do more than it must."""
    with control_plane.namespace() as name:
        control_plane.kubectl("label", "namespace", name, RESTRICTED)
        yield name


@pytest.fixture
def strict_namespace(control_plane, simulated_namespace):
    """The test's own namespace, which admits only the same."""
    control_plane.kubectl("label", "namespace", simulated_namespace, RESTRICTED)
    return simulated_namespace


@pytest.mark.parametrize("path", SAMPLES, ids=named)
def test_the_api_server_knows_every_field_of_a_sample_and_of_all_that_it_is_rendered_to(
    control_plane, shared_namespace, capsys, path
):
    def taken(*source, stdin=None):
        said = control_plane.kubectl(
            *("apply", "--server-side", "--dry-run=server", "--validate=strict"),
            *("-n", shared_namespace, "-o", "name", *source),
            stdin=stdin,
        )
        return said.splitlines()

    job = load_job(path)
    assert taken("-f", str(path)) == [f"gossiptrainingjob.gossip.training/{job.metadata.name}"]

    # No pod is taken whose account is not there, and a dry run makes none.
    account = peers_name(job.metadata.name)
    control_plane.kubectl("create", "serviceaccount", account, "-n", shared_namespace)
    rendering = ["render", str(path), "--default-image", IMAGE, "--namespace", shared_namespace]
    assert operator_main(rendering) == 0
    objects = taken("-f", "-", stdin=without_pod_monitors(capsys.readouterr().out))
    pods = [name for name in objects if name.startswith("pod/")]
    assert len(pods) == len(list(first_members(job)))


def without_pod_monitors(text):
    """Leave out what only a Prometheus operator brings the definition of."""
    parts = text.split("\n---\n")
    return "\n---\n".join(part for part in parts if "kind: PodMonitor" not in part)


@pytest.mark.parametrize("name", ["01-pull-gossip", "06-eamsgd", "14-own-model", "16-spot"])
def test_a_sample_comes_up_on_simulated_nodes(jobs, operator, strict_namespace, name):
    job = applied(jobs, name)
    jobs.wait_ready(job.metadata.name, job.spec.workers.replicas)
    assert all_pods(jobs, job)


def test_the_pods_of_a_queued_sample_all_wait_for_their_admission(jobs, operator, strict_namespace):
    pods = all_pods(jobs, applied(jobs, "15-kueue"))
    gates = [pod["spec"]["schedulingGates"] for pod in pods]
    assert gates == [[{"name": "kueue.x-k8s.io/admission"}]] * len(pods)


def applied(jobs, name):
    """Apply a sample as it is and return the job."""
    path = FOLDER / f"{name}.yaml"
    jobs.bed.kubectl("create", "-f", str(path), "-n", jobs.namespace)
    return load_job(path)


def all_pods(jobs, job):
    """Wait until every member of a job has a pod, and return the pods."""
    num_members = len(list(first_members(job)))

    def found():
        pods = jobs.pods(job.metadata.name)
        return pods if len(pods) == num_members else None

    return wait_for(found, f"{num_members} pods of {job.metadata.name}", seconds=30)
