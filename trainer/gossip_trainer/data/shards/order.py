"""In what order a worker goes through its shards and through the samples in them.

Shards are read one after another from beginning to end, in an order that is drawn anew every epoch.
A buffer of samples shuffles what comes from them: each draw takes one sample out of the buffer at
random and puts the next one in its place. All of it follows from the seed, so that a stream can be
opened at any place again.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from gossip_trainer.data.sampler import Sharding, Share
from gossip_trainer.errors import DataError

T = TypeVar("T")


def shards_of(shards: Sequence[T], share: Share, sharding: Sharding) -> Sequence[T]:
    """Return a worker's shards: every `share.count`-th, or all where they are shared.

    Raises:
        DataError: there are fewer shards than shares.

    """
    if sharding == "Shared":
        return shards
    if len(shards) < share.count:
        raise DataError(
            f"spec.training.data.args.train: {len(shards)} shards cannot be divided among "
            f"{share.count} workers; write more and smaller shards, use at most {len(shards)} "
            "workers, or sharding: Shared"
        )
    return shards[share.index :: share.count]


def shuffled(samples: Iterable[T], buffer_size: int, draw: random.Random) -> Iterator[T]:
    """Yield `samples` in the order in which they leave a buffer.

    Which ones leave depends on nothing but how many there are, `buffer_size` and `draw`.
    """
    coming = iter(samples)
    buffer = list(islice(coming, buffer_size))
    for sample in coming:
        place = draw.randrange(len(buffer))
        yield buffer[place]
        buffer[place] = sample
    draw.shuffle(buffer)
    yield from buffer
