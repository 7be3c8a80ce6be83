"""Gaussian clusters, one per class: generated from the job's seed, of any size, never stored."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from gossip_trainer.data.arguments import integer, positive, wrong
from gossip_trainer.data.dataset import Batch, InMemoryDataset
from gossip_trainer.seeding import derive_generator

ARGUMENTS = ("examples", "features", "shape", "classes", "noise")
_TEST_SHARE = 5  # one test example per five training examples
_MAX_ELEMENTS = 2**28  # 1 GiB of float32 in every worker; more is a slip of the pen


@dataclass(frozen=True, slots=True)
class Clusters:
    """What to generate.

    Attributes:
        examples: size of the training split; the test split adds a fifth.
        shape: the shape of one input.
        classes: how many clusters; their centres have unit variance in every coordinate.
        noise: standard deviation of an input's coordinates about its centre.

    """

    examples: int = 4096
    shape: tuple[int, ...] = (32,)
    classes: int = 10
    noise: float = 2.0

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, object]) -> Self:
        """Check what the job file says.

        Raises:
            DataError: names the argument, what it is and what is allowed.

        """
        if "features" in arguments and "shape" in arguments:
            raise wrong("features", "set together with shape", "one of the two")
        default = cls()
        shape = arguments.get("shape", [arguments.get("features", *default.shape)])
        if not isinstance(shape, list | tuple) or not shape:
            raise wrong("shape", shape, "a list of positive integers such as [1, 8, 8]")
        place = "shape" if "shape" in arguments else "features"
        clusters = cls(
            examples=integer("examples", arguments.get("examples", default.examples), 1),
            shape=tuple(integer(place, size, 1) for size in shape),
            classes=integer("classes", arguments.get("classes", default.classes), 2),
            noise=positive("noise", arguments.get("noise", default.noise)),
        )
        if clusters.examples * math.prod(clusters.shape) > _MAX_ELEMENTS:
            raise wrong(
                "examples", clusters.examples, f"at most {_MAX_ELEMENTS} numbers in all examples"
            )
        return clusters


def load(arguments: Mapping[str, object], seed: int) -> InMemoryDataset:
    """Return clusters generated from `seed`: the same on every worker of a job.

    Raises:
        DataError: an argument has a wrong value.

    """
    clusters = Clusters.from_arguments(arguments)
    generator = derive_generator(seed, "synthetic")
    centres = torch.randn(clusters.classes, *clusters.shape, generator=generator)
    num_test = math.ceil(clusters.examples / _TEST_SHARE)
    return InMemoryDataset(
        _draw(clusters, centres, clusters.examples, generator),
        _draw(clusters, centres, num_test, generator),
        num_classes=clusters.classes,
    )


def _draw(clusters: Clusters, centres: Tensor, count: int, generator: torch.Generator) -> Batch:
    targets = torch.arange(count) % clusters.classes
    noise = torch.randn(count, *clusters.shape, generator=generator)
    return Batch(noise.mul_(clusters.noise).add_(centres[targets]), targets)
