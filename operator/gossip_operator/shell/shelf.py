"""Objects of one kind as last seen, whatever order the news of them comes in."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

T = TypeVar("T")

MAX_GONE = 10_000


@dataclass(slots=True)
class _Held(Generic[T]):
    version: int
    view: T


class Shelf(Generic[T]):
    """Views by uid. What is older than what is there is ignored, and so is what was removed.

    News come from watches, lists and answers to own writes, which overtake each other. A uid never
    comes back once it is gone; the last ten thousand that went are remembered.
    """

    def __init__(self) -> None:
        self._held: dict[str, _Held[T]] = {}
        self._gone: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[T]:
        return (held.view for held in self._held.values())

    def get(self, uid: str) -> T | None:
        """Return the view of an object that is there."""
        held = self._held.get(uid)
        return None if held is None else held.view

    def version(self, uid: str) -> int:
        """Return the resource version of an object that is there; KeyError if it is not."""
        return self._held[uid].version

    def put(self, uid: str, version: int, view: T) -> bool:
        """Take in what an object is like; tell whether that is news."""
        held = self._held.get(uid)
        if uid in self._gone or (held is not None and version < held.version):
            return False
        self._held[uid] = _Held(version, view)
        return held is None or held.view != view

    def remove(self, uid: str) -> T | None:
        """Take in that an object is gone; return its last view if it was there."""
        self._gone[uid] = None
        if len(self._gone) > MAX_GONE:
            self._gone.popitem(last=False)
        held = self._held.pop(uid, None)
        return None if held is None else held.view

    def missing(
        self, listed: Collection[str], version: int, within: Callable[[T], bool]
    ) -> list[str]:
        """Name the objects that a list of that version lacks although it should have them."""
        return [
            uid
            for uid, held in self._held.items()
            if uid not in listed and held.version <= version and within(held.view)
        ]
