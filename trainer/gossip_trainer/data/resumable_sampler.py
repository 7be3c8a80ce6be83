"""A worker's share of a map-style data set, for the `DataLoader` of a script.

A loader asks its sampler for more than it has handed out, for it decodes ahead. So the sampler does
not note what was asked for: whoever takes the batches tells it. Where nobody does, it only goes
from one pass to the next.
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

    Attributes:
        is_told: whether somebody tells what was handed out.

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
        self._num_examples = num_examples
        self._share = share
        self._seed = seed
        self._stream = stream
        self._epoch = self._offset = 0
        self.is_told = False

    def __iter__(self) -> Iterator[int]:
        order = draw_order(self._shard, self._seed, self._stream, self._epoch)
        yield from order[self._offset :].tolist()
        if not self.is_told:
            self._epoch += 1

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
        share = [self._share.index, self._share.count]
        return {
            "epoch": self._epoch,
            "offset": self._offset,
            "share": share,
            "examples": self._num_examples,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from there.

        In another share of the same data, as after a change of the number of workers, that is the
        beginning of the next pass: what was left of the last one is divided differently now.

        Raises:
            DataError: it is the place in other data.

        """
        if state_dict["examples"] != self._num_examples:
            raise DataError(
                f"what was saved is of {state_dict['examples']} examples, and these are "
                f"{self._num_examples}; go on with the data of the start"
            )
        self._epoch, self._offset = state_dict["epoch"], state_dict["offset"]
        if state_dict["share"] != [self._share.index, self._share.count]:
            self._epoch, self._offset = self._epoch + 1, 0
