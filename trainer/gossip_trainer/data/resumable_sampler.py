"""A worker's share of a map-style data set, for the `DataLoader` of a script.

A loader asks its sampler for more than it has handed out, for it decodes ahead. So the sampler does
not note what was asked for: whoever takes the batches tells it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch.utils.data import Sampler

from gossip_trainer.data.sampler import Share, draw_order, shard_indices
from gossip_trainer.errors import DataError


class ResumableSampler(Sampler[int]):
    """Yields the indices of one pass over the share, in an order of its own every pass.

    Args:
        num_examples: of the whole data set.
        share: which part is this worker's; the parts are random and disjoint.
        seed: the job's.
        stream: whose order it is: two that share a part walk through it differently.

    Raises:
        DataError: the share would be empty.

    """

    def __init__(self, num_examples: int, *, share: Share, seed: int, stream: int) -> None:
        # With sharding by chance classes do not matter.
        self._shard = shard_indices(torch.zeros(num_examples), share, "Partition", seed)
        if not len(self._shard):
            raise DataError(
                f"share {share.index} of {share.count} is empty: there are only {num_examples} "
                "training examples; use fewer workers"
            )
        self._seed = seed
        self._stream = stream
        self._epoch = self._offset = 0

    def __iter__(self) -> Iterator[int]:
        order = draw_order(self._shard, self._seed, self._stream, self._epoch)
        yield from order[self._offset :].tolist()

    def __len__(self) -> int:
        """How many this pass has left."""
        return len(self._shard) - self._offset

    @property
    def is_within_pass(self) -> bool:
        """Whether some of a pass were handed out, but not all."""
        return self._offset > 0

    def advance(self, count: int) -> None:
        """Note that `count` more examples were handed out, or all that were left."""
        self._offset += count
        if self._offset >= len(self._shard):
            self.end_pass()

    def end_pass(self) -> bool:
        """Go on with the next pass and leave out what is left; tell whether any was begun."""
        was_begun = self.is_within_pass
        if was_begun:
            self._epoch, self._offset = self._epoch + 1, 0
        return was_begun

    def state_dict(self) -> dict[str, Any]:
        """Return where it is."""
        return {"epoch": self._epoch, "offset": self._offset, "size": len(self._shard)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from there.

        Raises:
            DataError: it is the place in another share.

        """
        if state_dict["size"] != len(self._shard):
            raise DataError(
                f"what was saved is of a share of {state_dict['size']} examples, and this one has "
                f"{len(self._shard)}; go on with the data and workers of the start"
            )
        self._epoch, self._offset = state_dict["epoch"], state_dict["offset"]
