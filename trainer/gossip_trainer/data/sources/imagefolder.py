"""Images in folders, one per class, as ImageNet is laid out: `train/<class>/*`, `val/<class>/*`.

Nothing is read but the names until an image is needed. Images are decoded in processes beside the
training. What chance decides about an image follows from seed, worker, data epoch and the image's
number, so that a stream is the same whoever decodes and however often it is interrupted.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gossip_trainer.data.dataset import Batch, Classification
from gossip_trainer.data.images.folder import ImageFiles, class_names, scan_images
from gossip_trainer.data.images.reading import StoredImage
from gossip_trainer.data.images.settings import ImageSettings
from gossip_trainer.data.images.testing import tested_images
from gossip_trainer.data.images.training import training_images
from gossip_trainer.data.stream import BatchStream, StreamPlan, position_of, sampler_of
from gossip_trainer.errors import DataError
from gossip_trainer.seeding import derive_seed

Task = list[StoredImage]


class ImageFolder(Classification):
    """Images to classify, float32 of shape (3, size, size).

    Args:
        train: the files to learn from.
        test: the held-out ones.
        num_classes: targets are below this.
        settings: how images are shown and decoded.

    """

    def __init__(
        self, train: ImageFiles, test: ImageFiles, *, num_classes: int, settings: ImageSettings
    ) -> None:
        self._train = train
        self._test = test
        self._settings = settings
        self.num_classes = num_classes
        self.num_examples = len(train)
        self.input_shape = (3, settings.train.size, settings.train.size)

    def stream(self, plan: StreamPlan, state: Mapping[str, Any] | None = None) -> BatchStream:
        """Return a worker's endless stream of training batches, from `state` on."""
        sampler = sampler_of(self._train.targets, plan, state)

        def next_task() -> tuple[Task, dict[str, Any]]:
            images = [
                _stored(
                    self._train, index, derive_seed(plan.seed, "image", plan.stream, epoch, index)
                )
                for epoch, indices in sampler.draw()
                for index in indices.tolist()
            ]
            return images, position_of(sampler)

        return training_images(next_task, self._settings, plan, position_of(sampler))

    def test_batches(self, batch_size: int) -> Iterator[Batch]:
        """Yield the test split in order; at most 64 images at a time."""
        images = (_stored(self._test, index, 0) for index in range(len(self._test)))
        return tested_images(images, self._settings, batch_size)


def load(arguments: Mapping[str, object], root: Path | None) -> ImageFolder:
    """List the files in `root`.

    Raises:
        DataError: a folder is missing, unreadable or empty, or an argument is wrong.

    """
    settings = ImageSettings.from_arguments(arguments)
    if root is None:
        raise DataError(
            "spec.training.data.root: is required with data imagefolder: the folder with "
            "train/<class>/ and val/<class>/ in it"
        )
    classes = class_names(root / "train")
    return ImageFolder(
        scan_images(root / "train", classes, all_classes=True),
        scan_images(root / "val", classes, all_classes=False),
        num_classes=len(classes),
        settings=settings,
    )


def _stored(files: ImageFiles, index: int, seed: int) -> StoredImage:
    return StoredImage(files.path(index), seed, int(files.targets[index]))
