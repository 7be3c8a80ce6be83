"""The newest incarnation of every place in the job, and who is outdated by it.

A process on a machine that was cut off may live on after another took its place. Nobody exchanges
anything with it any more, and it ends as soon as it learns of its successor, from whatever source:
the roster, a peer's counters, a handshake, a peer's refusal.
"""

import threading
from collections.abc import Callable
from functools import lru_cache

from gossip_api.names import Member, Role, member_name, parse_member_name

Place = tuple[Role, int]


class Fence:
    """What one process knows; safe to share by threads.

    Args:
        own: the own member's name; one that is none has no place that another could take.
        on_replaced: called once, by whatever thread learns it first, with the successor's name.

    """

    def __init__(
        self, own: str, on_replaced: Callable[[str], None] = lambda _successor: None
    ) -> None:
        found = _parse(own)
        self._own = None if found is None else _place(found)
        self._on_replaced = on_replaced
        self._lock = threading.Lock()
        self._newest: dict[Place, int] = {}
        if found is not None:
            self._newest[_place(found)] = found.incarnation
        self._is_replaced = False

    def learn(self, member: str) -> None:
        """Take in that `member` lives, or has lived; what is no member's name tells nothing."""
        if (found := _parse(member)) is not None:
            self.learn_of(found)

    def learn_of(self, member: Member) -> None:
        """Take in that `member` lives, or has lived."""
        place = _place(member)
        with self._lock:
            if self._newest.get(place, -1) >= member.incarnation:
                return
            self._newest[place] = member.incarnation
            is_news = place == self._own and not self._is_replaced
            self._is_replaced = self._is_replaced or is_news
        if is_news:
            self._on_replaced(member.name)

    def successor(self, member: str) -> str | None:
        """Return the newest member known in the place of `member`, if that is a newer one."""
        if (found := _parse(member)) is None:
            return None
        newest = self._newest.get(_place(found), -1)
        if newest <= found.incarnation:
            return None
        return member_name(found.role, found.index, newest)


@lru_cache(maxsize=1024)
def _parse(name: str) -> Member | None:
    try:
        return parse_member_name(name)
    except ValueError:
        return None


def _place(member: Member) -> Place:
    return (member.role, member.index)
