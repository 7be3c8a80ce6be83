"""How objects are and become: a list, then a watch, and again from the start after any trouble.

A watch that is cut off, too old (410) or silent costs a new list and nothing else; where none may
be had, there is a list every five seconds.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from gossip_kubectl.errors import Refused, TimedOut, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Object = dict[str, Any]
View = dict[str, Object]
"""The objects by name."""

FIRST_ANSWER_SECONDS = 10.0
"""How long a server that has never answered is tried: it rather is the wrong one."""
AWAY_SECONDS = 600.0
"""How long one that has answered may be away, unless another limit is given."""
REFUSAL_SECONDS = 120.0
"""How long it may refuse what cannot be expected to pass, such as a right that was taken away."""
SHORTEST_PAUSE = 0.25
LONGEST_PAUSE = 5.0
"""Between two attempts, in seconds; they grow while attempts fail soon."""
SHORTEST_WATCH_SECONDS = 1.0
"""One that ends sooner is followed by a pause, so that nobody is asked without end."""
GRACE_SECONDS = 5.0
"""How much later than announced a watch may end before it counts as dead."""


class Source(Protocol):
    """What lists and watches."""

    def get(self, path: str, *, seconds: float = ..., **query: str) -> Object:
        """Read a list."""
        ...

    def lines(self, path: str, *, seconds: float, **query: str) -> Iterator[str]:
        """Read a watch's events as they come."""
        ...


@dataclass
class Follower:
    """Follows what a path and a query select, until the deadline.

    Attributes:
        source: where to ask.
        path: the list's.
        query: selectors.
        deadline: when to raise TimedOut, by the clock.
        away_seconds: how long a server that has answered may be away.
        window_seconds: how long one watch lasts; the view comes anew after each, even unchanged.

    """

    source: Source
    path: str
    query: Mapping[str, str]
    deadline: float = math.inf
    away_seconds: float = AWAY_SECONDS
    window_seconds: int = 60
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _view: View = field(default_factory=dict, init=False)
    _version: str = field(default="", init=False)
    _trouble: str = field(default="", init=False)

    def views(self) -> Iterator[View]:
        """Yield all that there is, first as it is and then after every change.

        Raises:
            TimedOut: the deadline has passed; its text is the trouble with the server at that time,
                if there was any.
            Refused, Unreachable: the server cannot be asked, for longer than may be waited for.

        """
        good, has_answered, pause = self.clock(), False, SHORTEST_PAUSE
        while True:
            begun = self.clock()
            try:
                for view in self._once():
                    good, has_answered, self._trouble = self.clock(), True, ""
                    yield view
            except (Refused, Unreachable) as error:
                if self.clock() - good >= self._patience(error, has_answered=has_answered):
                    raise
                self._trouble = str(error)
                if self.clock() - begun > LONGEST_PAUSE:
                    pause = SHORTEST_PAUSE
                self.sleep(min(pause, self._left()))
                pause = min(2 * pause, LONGEST_PAUSE)

    def _patience(self, error: Refused | Unreachable, *, has_answered: bool) -> float:
        """Return for how many seconds such trouble is borne."""
        may_pass = not isinstance(error, Refused) or error.may_pass
        if not has_answered:
            return FIRST_ANSWER_SECONDS if may_pass else 0.0
        return self.away_seconds if may_pass else REFUSAL_SECONDS

    def _once(self) -> Iterator[View]:
        """List and watch until something goes wrong."""
        listed = self.source.get(self.path, seconds=min(30.0, self._left()), **self.query)
        self._version = listed["metadata"]["resourceVersion"]
        self._view = {item["metadata"]["name"]: item for item in listed["items"]}
        yield dict(self._view)
        while True:
            left = self._left()
            window = max(int(min(self.window_seconds, left)), 1)
            silence = min(window + GRACE_SECONDS, left + 1.0)
            query = {
                **self.query,
                "watch": "true",
                "allowWatchBookmarks": "true",
                "resourceVersion": self._version,
                "timeoutSeconds": str(window),
            }
            begun = self.clock()
            for line in self.source.lines(self.path, seconds=silence, **query):
                if self._take(_event(line)):
                    yield dict(self._view)
                self._left()
            if self.clock() - begun < SHORTEST_WATCH_SECONDS:
                self.sleep(min(SHORTEST_WATCH_SECONDS, self._left()))
            yield dict(self._view)

    def _take(self, event: Object) -> bool:
        """Take an event in and tell whether the view has changed."""
        kind, item = event["type"], event["object"]
        if kind == "ERROR":
            raise Refused(
                int(item.get("code", 500)), item.get("reason", ""), item.get("message", "")
            )
        self._version = item["metadata"]["resourceVersion"]
        if kind == "BOOKMARK":
            return False
        if kind == "DELETED":
            self._view.pop(item["metadata"]["name"], None)
        else:
            self._view[item["metadata"]["name"]] = item
        return True

    def _left(self) -> float:
        """Return the seconds until the deadline."""
        left = self.deadline - self.clock()
        if left <= 0:
            raise TimedOut(self._trouble)
        return left


def _event(line: str) -> Object:
    try:
        event: Object = json.loads(line)
    except ValueError as error:
        raise Unreachable(f"a watch ended in the middle of a line: {line[:80]!r}") from error
    return event
