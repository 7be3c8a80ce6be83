"""Images that a model is tested on, in their order, decoded in processes where there are many."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from typing import Final

from gossip_trainer.data.dataset import Batch
from gossip_trainer.data.decoding.pool import open_decoding
from gossip_trainer.data.decoding.stream import decoded
from gossip_trainer.data.decoding.task import RawShape
from gossip_trainer.data.images.pixels import normalized
from gossip_trainer.data.images.reading import ImageDecoder, StoredImage
from gossip_trainer.data.images.settings import ImageSettings

# A test holds no gradients, but the inputs and outputs of every layer still take memory.
MAX_TEST_BATCH: Final = 64
_FEW: Final = 8  # in batches this small, a model is only tried; no process is worth its start


def tested_images(
    images: Iterable[StoredImage], settings: ImageSettings, batch_size: int
) -> Iterator[Batch]:
    """Yield normalised batches of at most `batch_size` images, and never more than 64.

    Raises:
        DataError: an image cannot be decoded.

    """
    size = min(batch_size, MAX_TEST_BATCH)
    coming = iter(images)
    tasks = iter(lambda: list(islice(coming, size)), [])
    decoding = open_decoding(
        ImageDecoder(settings.test),
        RawShape(size, (3, settings.test.size, settings.test.size)),
        settings.num_processes if size > _FEW else 0,
    )
    with closing(decoding):
        for inputs, targets in decoded(tasks, decoding):
            yield normalized(inputs, targets)
