"""Workers with several devices, which without a GPU are processes on the CPU."""

import psutil
import pytest

from gossip_trainer.observability.events import Failed, Finished, Progress, Started

pytestmark = [pytest.mark.jobs, pytest.mark.timeout(240)]

FOLLOWER = "gossip_trainer.training.follower"


class Watch:
    """Kills a follower of one worker once all train."""

    def __init__(self, victim):
        self.victim = victim
        self.pids = {}
        self.followers = {}

    def __call__(self, records):
        for record in records:
            if isinstance(record, Started):
                self.pids[record.source] = record.pid
            if isinstance(record, Progress) and record.source not in self.followers:
                children = psutil.Process(self.pids[record.source]).children()
                found = [child for child in children if FOLLOWER in child.cmdline()]
                self.followers[record.source] = found
                if record.source == self.victim:
                    found[0].kill()


def test_a_worker_of_two_devices_trains_on_and_one_that_loses_a_device_says_so(run_job, digits):
    document = digits(
        workers={"replicas": 2, "devicesPerWorker": 2},
        training__budget={"epochs": 15},
        training__schedule={"name": "constant"},
    )
    watch = Watch("worker-1-0")
    run = run_job(document, watch, threads=1)

    assert {name: len(found) for name, found in watch.followers.items()} == {
        "worker-0-0": 1,
        "worker-1-0": 1,
    }
    (failed,) = run.of(Failed)
    assert failed.source == "worker-1-0"
    assert failed.reason == "the process of device 1 (cpu): it was killed by signal 9"
    assert run.outcome.state == "succeeded"
    assert "worker-0-0" in [record.source for record in run.of(Finished)]
    assert run.final.accuracy >= 0.9
    assert not any(each.is_running() for found in watch.followers.values() for each in found)
