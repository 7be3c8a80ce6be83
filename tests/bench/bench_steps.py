"""What an exchange at every step costs: CPU time and rate of four workers on this machine.

Runs manifests/samples/fashion-mnist.yaml (MLP 784-256-256-10, batch 32, pull gossip at period 1)
and reads the CPU time of every process of the run, workers, evaluator and launcher, over the
steps between two moments while all workers train. Beside it, the same network by plain SGD in one
process, written without the product.

Usage: python tests/bench/bench_steps.py [SET ...]        SET: path=value, as for `gossip run --set`
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

from gossip_api.loading import load_job
from gossip_api.training import Data
from gossip_trainer.data.registry import load_dataset
from gossip_trainer.launch.local_run import RunOptions, run_locally

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "manifests" / "samples" / "fashion-mnist.yaml"
WARM_UP_SECONDS = 2.0
PLAIN_STEPS = 4000
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a process, its threads included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Meter:
    """Takes two readings of all processes while all workers train."""

    def __init__(self, num_workers: int) -> None:
        self.num_workers = num_workers
        self.pids: dict[str, int] = {"launcher": os.getpid()}
        self.steps: dict[str, tuple[int, float]] = {}
        self.began: float | None = None
        self.first: tuple[dict[str, float], dict[str, tuple[int, float]]] | None = None
        self.last: tuple[dict[str, float], dict[str, tuple[int, float]]] | None = None
        self.evaluations: list[tuple[float, float]] = []
        self.over = False

    def watch(self, records: list) -> None:
        for record in records:
            match type(record).__name__:
                case "Started":
                    self.pids[record.source] = record.pid
                case "Progress":
                    self.steps[record.source] = (record.step, record.time)
                case "Stopping":
                    self.over = True
                case "Evaluation":
                    self.evaluations.append((record.seconds, record.accuracy))
        if self.over or len(self.steps) < self.num_workers:
            return
        now = time.monotonic()
        self.began = self.began or now
        if now - self.began < WARM_UP_SECONDS:
            return
        reading = ({n: cpu_seconds(p) for n, p in self.pids.items()}, dict(self.steps), now)
        self.first = self.first or reading
        self.last = reading

    def result(self) -> dict[str, float]:
        (cpu_a, steps_a, at_a), (cpu_b, steps_b, at_b) = self.first, self.last
        rates = {
            n: (steps_b[n][0] - steps_a[n][0]) / (steps_b[n][1] - steps_a[n][1]) for n in steps_a
        }
        # Steps are reported about once a second; over the span of the CPU readings they are the
        # rate times the span.
        steps = sum(rates.values()) * (at_b - at_a)
        cpu = sum(cpu_b[n] - cpu_a[n] for n in cpu_a)
        workers = sum(cpu_b[n] - cpu_a[n] for n in steps_a)
        return {
            "cpu": 1000 * cpu / steps,
            "workers": 1000 * workers / steps,
            "rate": statistics.mean(rates.values()),
            "slowest": min(rates.values()),
            "seconds": at_b - at_a,
        }


def gossip(overrides: list[str]) -> None:
    job = load_job(SAMPLE, overrides)
    meter = Meter(job.spec.workers.replicas)
    with tempfile.TemporaryDirectory() as folder:
        outcome = run_locally(job, RunOptions(out=Path(folder) / "run"), meter.watch)
    assert outcome.state == "succeeded", outcome.reason
    r = meter.result()
    print(
        f"gossip, {meter.num_workers} workers: {r['cpu']:.2f} CPU-s per 1,000 worker-steps "
        f"(workers alone {r['workers']:.2f}), {r['rate']:.0f} steps/s per worker "
        f"(slowest {r['slowest']:.0f}), over {r['seconds']:.1f} s"
    )
    reached = next((s for s, accuracy in meter.evaluations if accuracy >= 0.88), None)
    text = f"{reached:.1f} s" if reached is not None else "not reached"
    print(f"time to 0.88 test accuracy: {text}; last accuracy {meter.evaluations[-1][1]:.4f}")


def plain() -> None:
    torch.set_num_threads(1)
    dataset = load_dataset(Data(name="fashion-mnist"), 1)
    model = nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 256),
        nn.ReLU(),
        nn.Linear(256, 256),
        nn.ReLU(),
        nn.Linear(256, 10),
    )
    optimizer = torch.optim.SGD(
        model.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-4
    )
    order = torch.randperm(60_000)

    def run(steps: int) -> None:
        for step in range(steps):
            start = step * 32 % 59_968
            inputs, targets = dataset.train_batch(order[start : start + 32])
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(inputs), targets)
            loss.backward()
            optimizer.step()
            loss.item()

    run(200)
    cpu, wall = time.process_time(), time.perf_counter()
    run(PLAIN_STEPS)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(
        f"plain SGD, one process: {1000 * cpu / PLAIN_STEPS:.2f} CPU-s per 1,000 steps, "
        f"{PLAIN_STEPS / wall:.0f} steps/s"
    )


if __name__ == "__main__":
    plain()
    gossip(sys.argv[1:])
