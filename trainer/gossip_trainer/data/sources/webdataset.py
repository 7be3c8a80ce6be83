"""Images in tar shards, as WebDataset lays them out: read in sequence, which suits large storage.

A sample is a `jpg`, `jpeg` or `png` and its class: a number in a `cls`, or a field of a `json`. The
process that trains reads the shards; processes beside it decode, as they do for images in folders.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from gossip_trainer.data.arguments import integer, wrong
from gossip_trainer.data.dataset import Batch, Classification
from gossip_trainer.data.images.reading import StoredImage
from gossip_trainer.data.images.settings import ARGUMENTS as IMAGE_ARGUMENTS
from gossip_trainer.data.images.settings import ImageSettings
from gossip_trainer.data.images.testing import tested_images
from gossip_trainer.data.images.training import training_images
from gossip_trainer.data.shards.names import find_shards
from gossip_trainer.data.shards.passes import ShardPasses
from gossip_trainer.data.shards.tar import Sample, count_samples, read_shard
from gossip_trainer.data.stream import BatchStream, StreamPlan
from gossip_trainer.errors import DataError
from gossip_trainer.seeding import derive_seed

ARGUMENTS: Final = (
    "train", "test", "classes", "label", "numExamples", "shuffle", *IMAGE_ARGUMENTS,
)  # fmt: skip
_IMAGES: Final = ("jpg", "jpeg", "png")
_KINDS: Final = (*_IMAGES, "cls", "json")


@dataclass(frozen=True, slots=True)
class Labels:
    """How a sample's class is found: 0 to `num_classes` - 1, in a `cls`, or a `json`'s `field`."""

    num_classes: int
    field: str

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, object]) -> Self:
        """Check what the job file says.

        Raises:
            DataError: names the argument, what it is and what is allowed.

        """
        field = arguments.get("label", "label")
        if not isinstance(field, str):
            raise wrong("label", field, "the name of a field in a sample's json")
        return cls(integer("classes", arguments.get("classes"), 2), field)

    def of(self, sample: Sample) -> int:
        """Return a sample's class.

        Raises:
            DataError: it has none, or one that is no class.

        """
        found = self._found(sample)
        try:
            label = int(found)
        except (TypeError, ValueError):
            label = -1
        if not 0 <= label < self.num_classes:
            raise _wrong(sample, f"its class is {found!r}, expected 0 to {self.num_classes - 1}")
        return label

    def _found(self, sample: Sample) -> Any:
        if "cls" in sample.parts:
            return sample.parts["cls"].decode("ascii", "replace").strip()
        if "json" not in sample.parts:
            raise _wrong(sample, f"it has {_listed(sample)} but no cls and no json, for its class")
        try:
            facts = json.loads(sample.parts["json"])
        except ValueError as error:
            raise _wrong(sample, f"its json cannot be read: {error}") from error
        if not isinstance(facts, dict) or self.field not in facts:
            raise _wrong(sample, f"its json has no field {self.field!r}; args.label names another")
        return facts[self.field]


class WebDataset(Classification):
    """Images to classify, float32 of shape (3, size, size), from tar shards.

    Args:
        train: the shards to learn from.
        test: the held-out ones.
        num_examples: how many samples `train` holds.
        buffer_size: samples among which the next one is chosen.
        labels: how a sample's class is found.
        settings: how images are shown and decoded.

    """

    def __init__(
        self,
        train: Sequence[Path],
        test: Sequence[Path],
        *,
        num_examples: int,
        buffer_size: int,
        labels: Labels,
        settings: ImageSettings,
    ) -> None:
        self._train = train
        self._test = test
        self._buffer_size = buffer_size
        self._labels = labels
        self._settings = settings
        self.num_examples = num_examples
        self.num_classes = labels.num_classes
        self.input_shape = (3, settings.train.size, settings.train.size)

    def stream(self, plan: StreamPlan, state: Mapping[str, Any] | None = None) -> BatchStream:
        """Return a worker's endless stream of training batches, from `state` on."""
        passes = ShardPasses(
            self._train, plan, kinds=_KINDS, buffer_size=self._buffer_size, position=state
        )

        def next_task() -> tuple[list[StoredImage], dict[str, Any]]:
            drawn = [passes.draw() for _ in range(plan.batch_size)]
            images = [
                self._stored(
                    sample,
                    derive_seed(
                        plan.seed, "image", plan.stream, epoch, sample.shard.name, sample.key
                    ),
                )
                for epoch, sample in drawn
            ]
            return images, passes.position()

        return training_images(next_task, self._settings, plan, passes.position())

    def test_batches(self, batch_size: int) -> Iterator[Batch]:
        """Yield the test split in order; at most 64 images at a time."""
        samples = (sample for shard in self._test for sample in read_shard(shard, _KINDS))
        images = (self._stored(sample, 0) for sample in samples if sample is not None)
        return tested_images(images, self._settings, batch_size)

    def _stored(self, sample: Sample, seed: int) -> StoredImage:
        content = next((sample.parts[kind] for kind in _IMAGES if kind in sample.parts), None)
        if content is None:
            raise _wrong(sample, f"it has {_listed(sample)} but no {', '.join(_IMAGES)}")
        return StoredImage(
            f"{sample.shard}: sample {sample.key}", seed, self._labels.of(sample), content
        )


def load(arguments: Mapping[str, object], root: Path | None) -> WebDataset:
    """Find the shards that the job names, and count their samples where it does not say.

    Raises:
        DataError: a shard is missing or damaged, or an argument is wrong.

    """
    labels = Labels.from_arguments(arguments)
    settings = ImageSettings.from_arguments(arguments)
    buffer_size = integer("shuffle", arguments.get("shuffle", 1000), 1)
    train = find_shards("train", arguments.get("train"), root)
    test = find_shards("test", arguments.get("test"), root)
    given = arguments.get("numExamples")
    num_examples = (
        sum(map(count_samples, train)) if given is None else integer("numExamples", given, 1)
    )
    if not num_examples:
        raise DataError(
            f"spec.training.data.args.train: there is no sample in the {len(train)} shards, the "
            f"first of which is {train[0]}"
        )
    return WebDataset(
        train,
        test,
        num_examples=num_examples,
        buffer_size=buffer_size,
        labels=labels,
        settings=settings,
    )


def _listed(sample: Sample) -> str:
    return ", ".join(sample.parts) or "nothing that is read"


def _wrong(sample: Sample, what: str) -> DataError:
    return DataError(f"{sample.shard}: sample {sample.key}: {what}; write the shard anew")
