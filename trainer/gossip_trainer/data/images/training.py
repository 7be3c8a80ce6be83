"""Images that a model learns from: a stream of tasks, decoded beside the training."""

from collections.abc import Callable
from typing import Any

from gossip_trainer.data.decoding.pool import open_decoding
from gossip_trainer.data.decoding.stream import DecodedStream
from gossip_trainer.data.decoding.task import RawShape
from gossip_trainer.data.images.pixels import normalized
from gossip_trainer.data.images.reading import ImageDecoder, StoredImage
from gossip_trainer.data.images.settings import ImageSettings
from gossip_trainer.data.stream import BatchStream, StreamPlan

NextTask = Callable[[], tuple[list[StoredImage], dict[str, Any]]]
"""Draws the images of the next batch; returns them and the position after them."""


def training_images(
    next_task: NextTask, settings: ImageSettings, plan: StreamPlan, position: dict[str, Any]
) -> BatchStream:
    """Return the stream of normalised batches that begins at `position`."""
    size, processes = settings.train.size, plan.num_processes
    decoding = open_decoding(
        ImageDecoder(settings.train),
        RawShape(plan.batch_size, (3, size, size)),
        settings.num_processes if processes is None else processes,
    )
    return DecodedStream(next_task, decoding, finish=normalized, position=position)
