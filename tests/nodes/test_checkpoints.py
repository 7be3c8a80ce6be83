"""Real pods that save into a claim go on from there when their job is resumed."""

import os

import pytest
from claims import drop_volumes, make_claim
from cluster_jobs import member_of
from node_jobs import events, long_job, wait_beginning, wait_training
from testbed.waiting import wait_for

from gossip_operator.manifests.pod import USER

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(240)]


@pytest.fixture
def folder(tmp_path):
    """A volume's folder as `fsGroup` leaves one: the pods' group may write there."""
    folder = tmp_path / "volume"
    folder.mkdir()
    os.chown(folder, 0, USER)
    folder.chmod(0o2775)
    return folder


def test_a_job_that_is_suspended_and_resumed_goes_on_where_it_was(jobs, operator, folder):
    make_claim(jobs.bed, jobs.namespace, "models", "ReadWriteMany", folder)
    name = jobs.create(long_job(checkpoint={"storage": {"claimName": "models"}, "every": "1s"}))
    wait_training(jobs, name)
    wait_for(lambda: events(jobs, jobs.live(name)[0], "saved"), "a checkpoint", seconds=30)

    jobs.change(name, {"suspend": True})
    jobs.wait_condition(name, "Suspended", "True", "Suspended", seconds=90)
    uid = jobs.get(name)["metadata"]["uid"]
    root = folder / f"{jobs.namespace}.{name}.{uid}"
    newest = {rank: max(root.glob(f"worker-{rank}/step-*")).name for rank in range(3)}
    saved = {rank: int(step.removeprefix("step-")) for rank, step in newest.items()}
    jobs.change(name, {"suspend": False})

    jobs.wait_ready(name, 3, seconds=90)
    pods = jobs.live(name)
    assert {member_of(pod).incarnation for pod in pods.values()} == {1}
    began = {rank: wait_beginning(jobs, pod) for rank, pod in pods.items()}
    own = {r: each["step"] for r, each in began.items() if each["model_from"] == "checkpoint"}
    assert own
    assert own.items() <= saved.items()
    # One that comes when others already train copies one of those.
    assert all(each["step"] >= min(saved.values()) > 0 for each in began.values())
    drop_volumes(jobs.bed, jobs.namespace)
