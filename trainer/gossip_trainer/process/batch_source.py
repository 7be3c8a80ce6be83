"""Where the batches of a session come from, and where in its data the worker is."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import torch
from torch.utils.data import BatchSampler

from gossip_trainer.data.resumable_sampler import ResumableSampler

T = TypeVar("T")


@runtime_checkable
class Stream(Protocol):
    """The built-in data's: opened where it is to go on."""

    def state(self) -> Any:
        """Return the position after the batches handed out so far."""
        ...


@runtime_checkable
class StatefulLoader(Protocol):
    """A loader that keeps its own position."""

    def state_dict(self) -> dict[str, Any]:
        """Return the position."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> object:
        """Go on from there."""
        ...


class BatchSource(Generic[T]):
    """Gives a loader's batches pass after pass.

    Attributes:
        state: returns the position after the batches handed out so far; None if nobody knows.

    """

    def __init__(self, loader: Iterable[T], state: Callable[[], Any]) -> None:
        self._loader = loader
        self.state = state

    def __iter__(self) -> Iterator[T]:
        return iter(self._loader)


class SampledLoader(Generic[T]):
    """A loader whose sampler keeps the position, told of every batch as it is handed out.

    A loader draws a seed as a pass begins. What is left of one that was begun earlier has drawn it.
    """

    def __init__(self, loader: Iterable[T], sampler: ResumableSampler, batch_size: int) -> None:
        self._loader = loader
        self._sampler = sampler
        self._batch_size = batch_size
        self._within_pass = sampler.is_within_pass
        sampler.is_told = True

    def __iter__(self) -> Iterator[T]:
        is_empty = True
        for batch in self._begin_pass():
            is_empty = False
            self._sampler.advance(self._batch_size)
            yield batch
        if self._sampler.end_pass() and is_empty:
            # What a resumed pass had left was not enough for a batch.
            yield from self

    def _begin_pass(self) -> Iterator[T]:
        if not self._within_pass:
            return iter(self._loader)
        self._within_pass = False
        with torch.random.fork_rng(devices=()):
            return iter(self._loader)


def batch_source(loader: Iterable[T], saved: Any) -> BatchSource[T]:
    """Return the loader with its position, put where it was saved if it can be."""
    if isinstance(loader, Stream):
        return BatchSource(loader, loader.state)
    # Only this has the sampler where Accelerate has prepared the loader.
    batches = getattr(loader, "batch_sampler", None)
    if isinstance(batches, BatchSampler) and isinstance(batches.sampler, ResumableSampler):
        sampler = batches.sampler
        if saved is not None:
            sampler.load_state_dict(saved)
        return BatchSource(SampledLoader(loader, sampler, batches.batch_size), sampler.state_dict)
    if isinstance(loader, StatefulLoader) and _tells(loader):
        if saved is not None:
            loader.load_state_dict(saved)
        return BatchSource(loader, loader.state_dict)
    return BatchSource(loader, lambda: None)


def _tells(loader: StatefulLoader) -> bool:
    """Tell whether a loader knows its position: Accelerate's has the methods in any case."""
    try:
        loader.state_dict()
    except AttributeError:
        return False
    return True
