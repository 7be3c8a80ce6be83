"""What compressed exchanges cost and save: the codecs' speed, and what is learned with them.

Two parts. `codecs` takes the processor time of writing and reading a vector of ResNet-50's size,
into new memory every time as an exchange does. `learning` trains an MLP on Fashion-MNIST in virtual
time, with every compression that a strategy takes and without, over a thin link, and tells bytes,
exchanges and accuracy. Virtual time and all that is learned are the same on every machine; the
codecs' speed is this one's.

Run: python tests/bench/bench_compression.py [--only codecs] [--seeds 3] [--samples 30000]
         [--strategies pull ...] [--bandwidth 40Mbps]
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from gossip_api.compression import Compression
from gossip_api.job import GossipTrainingJob
from gossip_api.training import Data
from gossip_trainer.compression.codec import codec_of
from gossip_trainer.data.registry import load_dataset
from gossip_trainer.simulation.result import Result
from gossip_trainer.simulation.simulator import Simulator

RESNET50_FLOATS = 25_557_032
ROUNDS = 5

PULL = ("Gossip", "gossip", {"exchange": "Pull"})
PUSH = ("Gossip", "gossip", {"exchange": "Push"})
PAIRWISE = ("Gossip", "gossip", {"exchange": "Pairwise"})
PUSH_SUM = ("Gossip", "gossip", {"exchange": "PushSum"})
ELASTIC = ("ElasticAveraging", "elasticAveraging", {"period": 2})
NOLOCO = ("LocalSGD", "localSGD", {"averaging": "Gossip", "period": 20})
BRINGING = {"pull", "pairwise", "elastic averaging"}
PARTIAL = {"type": "Partial", "fragments": 4}
CASES = {
    "pull": (PULL, (None, {"type": "BFloat16"}, PARTIAL)),
    "push": (PUSH, (None, {"type": "BFloat16"})),
    "pairwise": (PAIRWISE, (None, {"type": "BFloat16"})),
    "push-sum": (PUSH_SUM, (None, {"type": "BFloat16"})),
    "elastic averaging": (ELASTIC, (None, {"type": "BFloat16"}, {"type": "Int8"})),
    "NoLoCo": (NOLOCO, (None, {"type": "BFloat16"})),
}


def job(
    strategy: tuple, compression: dict | None, *, seed: int, samples: int, bandwidth: str
) -> GossipTrainingJob:
    """Return a job of four workers; 40Mbps carry its model in two steps."""
    kind, member, settings = strategy
    chosen = settings if compression is None else {**settings, "compression": compression}
    spec = {
        "strategy": {"type": kind, member: chosen},
        "security": {"mutualTLS": False},
        "workers": {"replicas": 4},
        "training": {
            "model": {"name": "mlp", "args": {"hidden": [64]}},
            "data": {"name": "fashion-mnist"},
            "batchSize": 32,
            "optimizer": {
                "name": "sgd",
                "learningRate": 0.02 if kind == "LocalSGD" else 0.05,
                "momentum": 0.0 if kind == "LocalSGD" else 0.9,
            },
            "budget": {"samples": samples},
            "seed": seed,
        },
        "evaluation": {"every": "1h"},
        "simulation": {
            "computeSeconds": {"mean": 0.02, "jitter": 0.3},
            "link": {"bandwidth": bandwidth, "latency": "100us"},
        },
    }
    if kind == "ElasticAveraging":
        spec["server"] = {"shards": 1}
    head = {"apiVersion": "gossip.training/v1alpha1", "kind": "GossipTrainingJob"}
    return GossipTrainingJob.model_validate(
        {**head, "metadata": {"name": "compressed"}, "spec": spec}
    )


@dataclass(frozen=True)
class Learned:
    """What one run came to."""

    accuracy: float
    received: int  # bytes of one model or difference that came
    per_step: float  # exchanges

    @classmethod
    def of(cls, result: Result, *, brings: bool) -> "Learned":
        """Read it off a result; `brings` says whether own exchanges bring something."""
        workers = result.workers
        exchanges = sum(w.exchanges for w in workers)
        came = sum(w.heard for w in workers) + (exchanges if brings else 0)
        received = sum(w.received_bytes for w in workers)
        steps = sum(w.steps for w in workers)
        return cls(result.final.accuracy or 0.0, round(received / came), exchanges / steps)


def learn(strategies: list[str], seeds: int, samples: int, bandwidth: str) -> None:
    """Print what is learned with every compression."""
    dataset = load_dataset(Data(name="fashion-mnist"), 1)
    print("| strategy | compression | bytes that come at once | exchanges per step | accuracy, % |")
    print("|---|---|---|---|---|")
    for name in strategies:
        strategy, compressions = CASES[name]
        for compression in compressions:
            found = []
            for seed in range(1, seeds + 1):
                document = job(
                    strategy, compression, seed=seed, samples=samples, bandwidth=bandwidth
                )
                result = Simulator(document, dataset).run()
                found.append(Learned.of(result, brings=name in BRINGING))
            accuracies = [100 * each.accuracy for each in found]
            spread = f" +- {statistics.stdev(accuracies):.1f}" if seeds > 1 else ""
            kind = "none" if compression is None else compression["type"]
            print(
                f"| {name} | {kind} | {found[0].received} "
                f"| {statistics.mean(each.per_step for each in found):.2f} "
                f"| {statistics.mean(accuracies):.1f}{spread} |",
                flush=True,
            )


def time_codecs(size: int) -> None:
    """Print how fast each codec writes and reads, in float32 bytes."""
    torch.set_num_threads(1)
    vector = torch.randn(size)
    print("| codec | bytes for 1 | writes GB/s | reads GB/s |")
    print("|---|---|---|---|")
    for kind in ("BFloat16", "Int8"):
        codec = codec_of(Compression(type=kind), 1)
        encoded = codec.encode(vector)
        share = encoded.nbytes / vector.nbytes
        writes = speed(vector, lambda codec=codec: codec.encode(vector))
        reads = speed(vector, lambda codec=codec, e=encoded: codec.decode(e, torch.float32))
        print(f"| {kind} | {share:.3f} | {writes:.2f} | {reads:.2f} |")
    print(f"| (a copy, to compare) | 1 | {speed(vector, vector.clone):.2f} | |")


def speed(vector: torch.Tensor, do: Callable[[], object]) -> float:
    """Return GB per second of processor time, of the best of some rounds after one to warm up."""
    best = float("inf")
    for _ in range(ROUNDS + 1):
        began = time.process_time()
        do()
        best = min(best, time.process_time() - began)
    return vector.nbytes / best / 1e9


def main() -> None:
    """Print the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=["codecs", "learning"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=30_000)
    parser.add_argument("--strategies", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--bandwidth", default="40Mbps")
    options = parser.parse_args()
    if options.only != "learning":
        time_codecs(RESNET50_FLOATS)
    if options.only != "codecs":
        learn(options.strategies, options.seeds, options.samples, options.bandwidth)


if __name__ == "__main__":
    main()
