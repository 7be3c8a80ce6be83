"""Jobs whose workers run a training script of the user's own."""

import os
import shutil
import signal
import subprocess
import sys

import pytest

from gossip_trainer.errors import RunError
from gossip_trainer.observability.event_log import EventTail
from gossip_trainer.observability.events import Failed, Finished, Left, Progress, Started

pytestmark = [pytest.mark.jobs, pytest.mark.timeout(240)]


@pytest.fixture
def scripted(digits, samples, monkeypatch):
    """Return a function that gives a job whose workers run these words.

    The script of the sample is found as its first lines say; `python -m own_loop` runs it.
    """
    monkeypatch.setenv("PYTHONPATH", str(samples), prepend=os.pathsep)
    monkeypatch.syspath_prepend(str(samples))

    def job(*command, workers=2, **changes):
        containers = [{"name": "trainer", "command": list(command)}]
        return digits(
            workers={"replicas": workers, "template": {"spec": {"containers": containers}}},
            training__model={"name": "own_loop:build_model"},
            **changes,
        )

    return job


class KillOne:
    """Kills a worker once it has taken so many steps."""

    def __init__(self, victim, steps):
        self.victim = victim
        self.steps = steps
        self.pid = None
        self.done = False

    def __call__(self, records):
        for record in records:
            if isinstance(record, Started) and record.source == self.victim:
                self.pid = record.pid
            late = isinstance(record, Progress) and record.step >= self.steps
            if late and record.source == self.victim and not self.done:
                self.done = True
                os.kill(self.pid, signal.SIGKILL)


def test_a_script_trains_with_its_peers_and_one_that_is_killed_costs_the_others_nothing(
    run_job, scripted
):
    job = scripted("python", "-m", "own_loop", workers=3, training__budget={"samples": 40_000})

    run = run_job(job, KillOne("worker-1-0", 100))

    assert run.outcome.state == "succeeded"
    (lost,) = [left for left in run.of(Left) if left.exit_code != 0]
    assert (lost.member, lost.exit_code) == ("worker-1-0", -signal.SIGKILL)
    assert {record.source for record in run.of(Finished)} == {"worker-0-0", "worker-2-0"}
    assert run.final.averaged == 2
    assert run.final.accuracy >= 0.95
    # They have exchanged: models that train apart on shares of the data are not that close.
    assert min(model.accuracy for model in run.final.workers) >= 0.94
    told = [record for record in run.of(Progress) if record.source == "worker-0-0"]
    assert told[-1].exchanges > 0


FAILS = """
import own_loop
from gossip_trainer import Session

model = own_loop.build_model()
with Session(model) as session:
    for step in session.steps():
        if step == 3:
            raise LookupError("the labels\\nare on strike")
        loss = model(own_loop.torch.ones(2, 1, 8, 8)).square().mean()
        loss.backward()
        session.step(loss, samples=2)
"""


def test_an_exception_of_the_script_fails_the_run_with_its_text(run_job, scripted):
    run = run_job(scripted("python", "-c", FAILS, workers=1))

    assert run.outcome.state == "failed"
    assert "failed: LookupError: the labels" in run.outcome.reason
    assert "\n" not in run.outcome.reason
    assert run.of(Failed)


def test_a_script_that_never_trains_fails_the_run_at_once(run_job, scripted):
    run = run_job(scripted("python", "-c", "print('done')"))

    assert run.outcome.state == "failed"
    assert "ended without having trained" in run.outcome.reason
    assert "gossip_trainer.Session" in run.outcome.reason
    assert (run.out / "logs" / "worker-0-0.log").read_text() == "done\n"


def test_a_script_that_ends_before_it_joins_is_quoted(run_job, scripted):
    run = run_job(scripted("python", "-c", "import torchh"))

    assert run.outcome.state == "failed"
    assert "exit code 1: ModuleNotFoundError: No module named 'torchh', see" in run.outcome.reason


def test_a_command_that_is_not_there_is_named(run_job, scripted):
    with pytest.raises(RunError, match="got 'trian'"):
        run_job(scripted("trian"))


def test_a_replay_of_a_script_is_refused_before_anything_is_traced(run_job, scripted):
    with pytest.raises(RunError, match="--trace"):
        run_job(scripted(sys.executable, "-m", "own_loop"), trace=True)


def test_a_script_trains_alone_when_it_is_started_by_itself(samples, tmp_path):
    """The script of Accelerate, to show that its loop runs."""
    shutil.copy(samples / "own_accelerate.py", tmp_path)
    job = (samples / "21-accelerate.yaml").read_text()
    (tmp_path / "21-accelerate.yaml").write_text(job.replace("epochs: 50", "epochs: 2"))

    ran = subprocess.run(
        [sys.executable, "own_accelerate.py"],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    (out,) = (tmp_path / "runs").iterdir()
    assert out.name.startswith("accelerate-alone-")
    assert (out / "worker-0-0.safetensors").exists()
    (finished,) = [r for r in EventTail(out / "events.jsonl").new() if isinstance(r, Finished)]
    # Every example twice, in batches of two times eight, and one that is over the budget.
    assert 2 * 1437 <= finished.samples <= 2 * 1437 + 16
