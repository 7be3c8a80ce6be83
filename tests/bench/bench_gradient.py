"""What precision, memory format and accumulation cost: CPU time of one gradient of a ResNet-18.

One thread, random images, a median over gradients of each setting in turn. CPU time and not time,
so that other work on the machine changes little.

Usage: python tests/bench/bench_gradient.py [PIXELS [BATCH_SIZE [ROUNDS [PRECISION ...]]]]
Default: 128 8 5 float32 bfloat16
"""

import statistics
import sys
import time
from itertools import product

import torch
from torch.nn.functional import cross_entropy

from gossip_api.training import Training
from gossip_trainer.data.dataset import Batch
from gossip_trainer.replica.flat import FlatModel
from gossip_trainer.replica.initial import initial_model
from gossip_trainer.training.gradient import GradientComputation

Settings = dict[str, object]
ACCUMULATED: Settings = {"gradient_accumulation": 4}


def settings_of(precisions: tuple[str, ...]) -> list[Settings]:
    formats = ("Contiguous", "ChannelsLast")
    pairs = product(precisions, formats)
    return [{"precision": each, "memory_format": lies} for each, lies in pairs] + [ACCUMULATED]


def computation(values: Settings, shape: tuple[int, ...]) -> GradientComputation:
    training = Training(
        model={"name": "resnet18"},
        data={"name": "cifar10"},
        optimizer={"name": "sgd", "learning_rate": 0.1},
        budget={"epochs": 1.0},
        **values,
    )
    module = initial_model(training, input_shape=shape, num_classes=1000)
    return GradientComputation(FlatModel(module.train()), cross_entropy, training)


def cpu_seconds(compute: GradientComputation, batch: Batch) -> float:
    began = time.process_time()
    compute(batch)
    return time.process_time() - began


def main(pixels: int, batch_size: int, rounds: int, *precisions: str) -> None:
    torch.set_num_threads(1)
    shape = (3, pixels, pixels)
    batch = Batch(torch.randn(batch_size, *shape), torch.randint(1000, (batch_size,)))
    settings = settings_of(precisions)
    computations = [computation(values, shape) for values in settings]
    for compute in computations:
        compute(batch)
    seconds = [[cpu_seconds(each, batch) for each in computations] for _ in range(rounds)]
    print(f"resnet18, {batch_size} images of {pixels} x {pixels}, CPU seconds of a gradient:")
    for values, column in zip(settings, zip(*seconds, strict=True), strict=True):
        text = ", ".join(f"{name} {value}" for name, value in values.items())
        print(f"{statistics.median(column):8.3f}  {text}")


if __name__ == "__main__":
    given = sys.argv[1:]
    numbers = [int(number) for number in given[:3]]
    main(*numbers, *(128, 8, 5)[len(numbers) :], *(given[3:] or ("float32", "bfloat16")))
