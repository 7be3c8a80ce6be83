"""Whole runs in which something goes wrong."""

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import yaml

from gossip_trainer.observability.events import (
    Began,
    ExchangeLost,
    Finished,
    Left,
    Progress,
    Replaced,
    Started,
)

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(120)]


class Attack:
    """Watches a run and, once every worker has taken `steps` steps, acts on one of them."""

    def __init__(self, victim: str, steps: int, act, *, num_workers: int = 4) -> None:
        self._victim = victim
        self._steps = steps
        self._act = act
        self._num_workers = num_workers
        self._pids: dict[str, int] = {}
        self._progress: dict[str, int] = {}
        self.at: float | None = None

    def __call__(self, records) -> None:
        for record in records:
            if isinstance(record, Started):
                self._pids[record.source] = record.pid
            if isinstance(record, Progress):
                self._progress[record.source] = record.step
        ready = [name for name, step in self._progress.items() if step >= self._steps]
        if self.at is None and len(ready) == self._num_workers:
            self.at = time.monotonic()
            self._act(self._pids[self._victim])


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def long_digits(digits, **changes):
    return digits(training__budget={"samples": 150_000}, **changes)


def test_a_killed_worker_is_named_and_the_others_finish_the_budget(run_job, digits):
    run = run_job(long_digits(digits), Attack("worker-2-0", 100, kill))

    assert run.outcome.state == "succeeded"
    (lost,) = [left for left in run.of(Left) if left.exit_code != 0]
    assert (lost.member, lost.exit_code) == ("worker-2-0", -signal.SIGKILL)
    assert "SIGKILL" in lost.reason
    finished = run.of(Finished)
    assert {record.source for record in finished} == {"worker-0-0", "worker-1-0", "worker-3-0"}
    assert run.final.job_samples >= 150_000
    assert run.final.averaged == 3
    assert run.final.accuracy >= 0.95


def test_a_replacement_copies_a_peer_and_the_count_goes_on(run_job, digits):
    run = run_job(
        digits(training__budget={"seconds": 12}),
        Attack("worker-1-0", 200, kill),
        replace_lost=True,
    )

    assert run.outcome.state == "succeeded"
    (replaced,) = run.of(Replaced)
    assert (replaced.member, replaced.instead_of) == ("worker-1-1", "worker-1-0")
    (began,) = [record for record in run.of(Began) if record.source == "worker-1-1"]
    assert began.model_from.startswith("worker-")
    lost_at = max(r.samples for r in run.of(Progress) if r.source == "worker-1-0")
    others = sum(r.samples for r in run.of(Finished))
    # What the lost process had told its peers counts; it may have died with a few samples untold.
    assert run.final.job_samples >= others + lost_at
    (new,) = [r for r in run.of(Finished) if r.source == "worker-1-1"]
    assert new.samples > 0
    (model,) = [w for w in run.final.workers if w.member == "worker-1-1"]
    assert model.accuracy >= 0.9


def test_a_model_that_does_not_fit_the_data_is_refused_before_training(run_job, digits):
    document = digits(training__model={"name": "torch.nn:Flatten"})

    run = run_job(document)

    assert run.outcome.state == "failed"
    assert "one score per class" in run.outcome.reason
    assert not run.of(Began)
    assert "\n" not in run.outcome.reason


class Failing(torch.nn.Linear):
    """Works when it is tried, and fails in the first step of training."""

    def forward(self, inputs):
        if self.training:
            raise ValueError("these weights\nare no good")
        return super().forward(inputs.flatten(1))


def test_a_model_that_fails_in_its_first_step_ends_the_run_at_once(run_job, digits, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    model = {"name": "test_faults:Failing", "args": {"in_features": 64, "out_features": 10}}
    began = time.monotonic()

    run = run_job(digits(training__model=model))

    assert run.outcome.state == "failed"
    assert "ValueError: these weights" in run.outcome.reason
    assert "\n" not in run.outcome.reason
    assert time.monotonic() - began < 30


def test_training_that_diverges_is_a_failed_run(run_job, digits):
    optimizer = {"name": "sgd", "learningRate": 1e30}
    run = run_job(digits(training__optimizer=optimizer, training__budget={"stepsPerWorker": 50}))

    assert run.outcome.state == "failed"
    assert "diverged" in run.outcome.reason
    assert "learningRate" in run.outcome.reason


def test_a_run_that_fails_is_not_blamed_on_a_worker_it_had_survived(run_job, digits):
    optimizer = {"name": "sgd", "learningRate": 1e30}
    document = digits(
        training__optimizer=optimizer,
        training__nonFinite="Skip",  # or it would fail before anybody could be killed
        training__budget={"seconds": 6},
    )

    run = run_job(document, Attack("worker-2-0", 50, kill))

    assert [left for left in run.of(Left) if left.member == "worker-2-0"]
    assert run.outcome.state == "failed"
    assert "diverged" in run.outcome.reason


def moving_bytes(pid: int) -> int:
    """Return how many received bytes wait in the sockets of a process."""
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        target = str(entry.readlink())
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(row[4].split(":")[1], 16) for row in rows if row[9] in inodes)


class Stop:
    """Stops a process for a while: in mid-transfer if the model travels, else at any moment."""

    def __init__(self, seconds: float, *, in_transfer: bool) -> None:
        self._seconds = seconds
        self._in_transfer = in_transfer
        self.began = self.ended = 0.0
        self.caught = False

    def __call__(self, pid: int) -> None:
        deadline = time.monotonic() + 20
        while not self.caught and time.monotonic() < deadline:
            os.kill(pid, signal.SIGSTOP)
            if not self._in_transfer or moving_bytes(pid) >= 100_000:
                self.caught = True
            else:
                os.kill(pid, signal.SIGCONT)
                time.sleep(0.003)
        self.began = time.monotonic()
        time.sleep(self._seconds)
        os.kill(pid, signal.SIGCONT)
        self.ended = time.monotonic()


def steps_of(folder: Path, rank: int) -> list[float]:
    return [float(line) for line in (folder / f"{rank}.steps").read_text().split()]


def rate(moments: list[float], begin: float, end: float) -> float:
    inside = [moment for moment in moments if begin <= moment <= end]
    return (len(inside) - 1) / (inside[-1] - inside[0])


@pytest.mark.parametrize("shared_memory", [False, True], ids=["over TCP", "in shared memory"])
def test_a_worker_that_is_stopped_does_not_slow_the_others(
    run_job, digits, tmp_path, monkeypatch, shared_memory
):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    folder = tmp_path / "steps"
    folder.mkdir()
    ballast = 5_000_000  # 20 MB: a transfer takes many chunks
    model = {
        "name": "sleeping:Sleeping",
        "args": {"seconds": 0.1, "ballast": ballast, "folder": str(folder)},
    }
    document = digits(
        training__model=model,
        training__budget={"seconds": 45},
        training__optimizer={"name": "sgd", "learningRate": 1e-6},
        training__schedule={"name": "constant"},
        evaluation__every="10m",
    )
    stop = Stop(seconds=20, in_transfer=not shared_memory)

    run = run_job(document, Attack("worker-2-0", 120, stop), shared_memory=shared_memory)

    assert run.outcome.state == "succeeded"
    assert stop.caught
    assert run.of(ExchangeLost)
    for rank in (0, 1, 3):
        moments = steps_of(folder, rank)
        before = rate(moments, moments[20], stop.began - 0.5)
        during = rate(moments, stop.began, stop.ended)
        gaps = [b - a for a, b in pairwise(moments) if stop.began <= a and b <= stop.ended]
        longest = max(gaps) / statistics.median(gaps)
        print(f"worker {rank}: rate x {during / before:.3f}, longest step x {longest:.2f} median")
        assert during >= 0.95 * before
        assert longest <= 3
    assert len(run.of(Finished)) == 4


def gossip(job: Path, out: Path, *options: str) -> subprocess.Popen:
    return subprocess.Popen(
        [Path(sys.executable).with_name("gossip"), "run", str(job), "--out", str(out), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(text: str, path: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not (path.exists() and text in path.read_text()):
        assert time.monotonic() < deadline, f"{text} did not come up in {path}"
        time.sleep(0.1)


def test_an_interrupted_run_ends_with_what_there_is(digits, tmp_path):
    job, out = tmp_path / "job.yaml", tmp_path / "out"
    job.write_text(yaml.safe_dump(digits(training__budget={"seconds": 600})))
    process = gossip(job, out, "--format", "json")
    wait_for('"progress"', out / "events.jsonl", 60)

    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=40)

    assert process.returncode == 130, stderr
    summary = json.loads(stdout)
    assert summary["outcome"] == "interrupted"
    assert summary["last_evaluation"]["accuracy"] > 0.5
    assert (out / "model.safetensors").exists()
    assert (out / "curves.png").exists()


def test_a_run_interrupted_before_training_ends_at_once(digits, tmp_path):
    job, out = tmp_path / "job.yaml", tmp_path / "out"
    job.write_text(yaml.safe_dump(digits(training__budget={"seconds": 600})))
    process = gossip(job, out)
    wait_for("digits", out / "job.yaml", 30)

    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)

    assert process.returncode == 130


def test_no_process_outlives_a_killed_launcher(digits, tmp_path):
    job, out = tmp_path / "job.yaml", tmp_path / "out"
    job.write_text(yaml.safe_dump(digits(training__budget={"seconds": 600})))
    process = gossip(job, out)
    wait_for('"progress"', out / "events.jsonl", 60)
    pids = started_pids(out)

    process.kill()
    process.communicate(timeout=20)

    deadline = time.monotonic() + 10
    while [pid for pid in pids if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def started_pids(out: Path) -> list[int]:
    lines = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    return [line["pid"] for line in lines if line["event"] == "started"]


def test_a_second_interrupt_ends_a_run_at_once_and_leaves_no_process(digits, tmp_path):
    job, out = tmp_path / "job.yaml", tmp_path / "out"
    job.write_text(yaml.safe_dump(digits(training__budget={"seconds": 600})))
    process = gossip(job, out)
    wait_for('"progress"', out / "events.jsonl", 60)
    pids = started_pids(out)

    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)

    assert process.returncode == 130
    assert len(pids) == 5
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
