"""What gossip beside the computation costs a step, over sockets.

Two workers train a model of 32 MB. A run that exchanges after every step is compared with one that
never exchanges, and with one that waits for every exchange. First a timed sleep stands in for a
GPU: it takes time and no core. Then the computation is real and takes a core of every worker.

Usage: python tests/bench/bench_overlap.py [ROUNDS]
"""

import itertools
import os
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import torch
from torch import nn

from gossip_api.job import GossipTrainingJob
from gossip_trainer.launch.local_run import RunOptions, run_locally

SECONDS = 12.0  # of training in every run
WARM_UP_SECONDS = 3.0
SLEEP_SECONDS = 0.25
NEVER = 10**6  # steps between two exchanges

WAYS = {
    "never exchanges": {"period": NEVER},
    "exchanges beside the computation": {"period": 1, "overlap": True},
    "waits for every exchange": {"period": 1, "overlap": False},
}
MODELS = {
    "a sleep of 250 ms": {"name": "bench_overlap:sleeper"},
    "a real computation": {"name": "mlp", "args": {"hidden": [2800, 2800]}},
}


class Sleeper(nn.Module):
    """Takes time to train, and no core; 8 million parameters, few of which do anything."""

    def __init__(self, num_inputs: int, num_classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(num_inputs, num_classes)
        self.ballast = nn.Parameter(torch.zeros(8_000_000))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if self.training:
            time.sleep(SLEEP_SECONDS)
        return self.head(inputs.flatten(1)) + self.ballast[:1]


def sleeper(*, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    """Return one."""
    return Sleeper(torch.Size(input_shape).numel(), num_classes)


def job(model: dict, gossip: dict) -> GossipTrainingJob:
    return GossipTrainingJob.model_validate(
        {
            "apiVersion": "gossip.training/v1alpha1",
            "kind": "GossipTrainingJob",
            "metadata": {"name": "overlap"},
            "spec": {
                "strategy": {"type": "Gossip", "gossip": {"exchange": "Pull", **gossip}},
                "workers": {"replicas": 2},
                "training": {
                    "model": model,
                    "data": {"name": "synthetic", "args": {"features": 64}},
                    "batchSize": 256,
                    "optimizer": {"name": "sgd", "learningRate": 0.01},
                    "budget": {"seconds": SECONDS},
                },
                "evaluation": {"every": "1h"},
            },
        }
    )


@dataclass
class Watch:
    """Takes readings of both workers, and of the cores, while they train."""

    readings: dict[str, list] = field(default_factory=dict)
    busy: list[float] = field(default_factory=list)  # percent of all cores, whoever uses them
    own: list[tuple[float, float]] = field(default_factory=list)  # when, CPU seconds of the run

    def __call__(self, records: list) -> None:
        for record in records:
            if type(record).__name__ == "Progress":
                self.readings.setdefault(record.source, []).append(record)
        percent = psutil.cpu_percent()
        if len(self.readings) == 2:
            self.busy.append(percent)
            self.own.append((time.monotonic(), own_cpu_seconds()))

    def steps(self) -> list[tuple[float, int, int]]:
        """Return milliseconds, steps and exchanges between two readings, the warm-up left out."""
        found = []
        for kept in self.readings.values():
            warm = [each for each in kept if each.time > kept[0].time + WARM_UP_SECONDS]
            found += [
                (1000 * (b.time - a.time), b.step - a.step, b.exchanges - a.exchanges)
                for a, b in itertools.pairwise(warm)
                if b.step > a.step
            ]
        return found

    def step_ms(self) -> float:
        return statistics.median(taken / steps for taken, steps, _ in self.steps())

    def exchanges_per_step(self) -> float:
        _, steps, exchanges = zip(*self.steps(), strict=True)
        return sum(exchanges) / sum(steps)

    def own_percent(self) -> float:
        alive = [reading for reading in self.own if reading[1] > 0]
        (began, first), (ended, last) = alive[0], max(alive, key=lambda reading: reading[1])
        return 100 * (last - first) / (ended - began) / (os.cpu_count() or 1)


def own_cpu_seconds() -> float:
    """Return what the processes of the run have used, those that have ended left out."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            used = process.cpu_times()
            total += used.user + used.system
    return total


def measured(model: dict, gossip: dict) -> Watch:
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        options = RunOptions(out=Path(folder) / "run", threads=1, shared_memory=False)
        outcome = run_locally(job(model, gossip), options, watch)
    assert outcome.state == "succeeded", outcome.reason
    return watch


def main(rounds: int) -> None:
    here = str(Path(__file__).parent)
    os.environ["PYTHONPATH"] = os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])
    sys.path.insert(0, here)
    for computation, model in MODELS.items():
        print(f"Two workers, {os.cpu_count()} cores; computation: {computation}")
        times: dict[str, list[float]] = {}
        for _ in range(rounds):
            for way, gossip in WAYS.items():
                watch = measured(model, gossip)
                times.setdefault(way, []).append(watch.step_ms())
                print(
                    f"  {way}: {watch.step_ms():.1f} ms a step, "
                    f"{watch.exchanges_per_step():.2f} exchanges a step, "
                    f"cores busy {statistics.mean(watch.busy):.0f} %, "
                    f"with the run {watch.own_percent():.0f} %",
                    flush=True,
                )
        alone = statistics.median(times["never exchanges"])
        for way, taken in times.items():
            print(f"  median, {way}: {statistics.median(taken) / alone:.3f} of never exchanging")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
