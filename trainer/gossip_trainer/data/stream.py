"""Streams of batches: endless, one worker's own, and resumable at every batch.

A stream says in plain numbers where it is. One that is opened there again gives what the first
would have given, so that a worker that goes on neither repeats nor skips anything of its share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

from gossip_trainer.data.sampler import SamplerState, Sharding, ShardSampler, Share

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from gossip_trainer.data.dataset import Batch


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """Whose stream it is.

    Attributes:
        batch_size: examples in a batch.
        share: which part of the data.
        sharding: how it is parted.
        seed: the job's.
        stream: two that share a part walk through it differently.
        num_processes: how many decode beside the training; None for as many as suit the data.
        share_of: which part of the data it is in a data epoch, asked when the stream comes to it;
            None where that never changes.

    """

    batch_size: int
    share: Share
    sharding: Sharding
    seed: int
    stream: int
    num_processes: int | None = None
    share_of: Callable[[int], Share] | None = None


class BatchStream(Protocol):
    """An endless stream of normalised batches, on the CPU."""

    def __iter__(self) -> Self:
        """Return itself."""
        ...

    def __next__(self) -> Batch:
        """Return the next batch."""
        ...

    def state(self) -> dict[str, Any]:
        """Return the position after the batches handed out so far, as plain JSON."""
        ...

    def close(self) -> None:
        """End what works for it; may be called twice."""
        ...


class Examples(Protocol):
    """A data set whose examples can be had by number."""

    @property
    def train_targets(self) -> Tensor:
        """The class of every training example, int64."""
        ...

    def train_batch(self, indices: Tensor) -> Batch:
        """Return the examples at `indices`."""
        ...


class IndexedStream:
    """The batches of a data set in memory, in the order of a sampler."""

    def __init__(
        self, dataset: Examples, plan: StreamPlan, state: Mapping[str, Any] | None = None
    ) -> None:
        self._dataset = dataset
        self._sampler = sampler_of(dataset.train_targets, plan, state)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Batch:
        return self._dataset.train_batch(next(self._sampler))

    def state(self) -> dict[str, Any]:
        """Return data epoch and offset."""
        return position_of(self._sampler)

    def close(self) -> None:
        """There is nothing to end."""


def sampler_of(targets: Tensor, plan: StreamPlan, state: Mapping[str, Any] | None) -> ShardSampler:
    """Return the order in which a stream draws its examples, from `state` on."""
    return ShardSampler(
        targets,
        plan.batch_size,
        share=plan.share_of or plan.share,
        sharding=plan.sharding,
        seed=plan.seed,
        stream=plan.stream,
        state=None if state is None else _sampler_state(state),
    )


def position_of(sampler: ShardSampler) -> dict[str, Any]:
    """Return where a sampler is, as plain JSON."""
    state = sampler.state()
    share = None if state.share is None else [state.share.index, state.share.count]
    return {"epoch": state.epoch, "offset": state.offset, "share": share}


def _sampler_state(position: Mapping[str, Any]) -> SamplerState:
    share = position["share"]
    return SamplerState(
        position["epoch"], position["offset"], None if share is None else Share(*share)
    )
