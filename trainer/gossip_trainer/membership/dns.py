"""Membership by DNS: the addresses behind a headless Service's name, each asked who it is.

The way out where EndpointSlices may not be read. It learns of changes seconds later, and not at all
of who is about to leave.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gossip_api.names import Role, parse_member_name
from gossip_trainer.errors import GossipTrainerError
from gossip_trainer.membership.roster import Endpoint, OnRoster, Roster

log: Final = logging.getLogger(__name__)

RESOLVE_SECONDS: Final = 2.0  # how often the name is looked up
ASK_AGAIN_SECONDS: Final = 10.0  # how often a known address is asked again: it may change hands
CLOSE_SECONDS: Final = 1.0

Resolve = Callable[[str, int], set[str]]
Who = Callable[[tuple[str, int]], str]


def resolve(host: str, port: int) -> set[str]:
    """Return the addresses behind a name; raises OSError if it has none."""
    return {str(where[4][0]) for where in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}


@dataclass(frozen=True, slots=True)
class _Known:
    endpoint: Endpoint | None
    asked: float


class DnsRoster:
    """Looks a name up again and again in a thread of its own.

    Args:
        host: the name.
        own: the own endpoint, whose port is everybody's.
        who: asks the process at an address for its member's name.
        on_roster: told of every new roster.
        find: looks the name up; blocks at most as long as the system's resolver is set to.
        every: seconds from one look-up to the next.

    """

    def __init__(
        self,
        host: str,
        *,
        own: Endpoint,
        who: Who,
        on_roster: OnRoster = lambda _roster: None,
        find: Resolve = resolve,
        every: float = RESOLVE_SECONDS,
    ) -> None:
        self._host = host
        self._own = own
        self._who = who
        self._on_roster = on_roster
        self._find = find
        self._every = every
        self._known: dict[str, _Known] = {}
        self._roster = Roster((own,))
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="roster", daemon=True)
        self._thread.start()

    @property
    def roster(self) -> Roster:
        """The newest roster."""
        return self._roster

    def announce(self, endpoint: Endpoint) -> None:
        """Do nothing: Kubernetes keeps the name's addresses."""

    def withdraw(self, endpoint: Endpoint) -> None:
        """Do nothing, as in `announce`."""

    def close(self) -> None:
        """Stop looking up; a look-up under way ends by itself."""
        self._closed.set()
        self._thread.join(timeout=CLOSE_SECONDS)

    def _watch(self) -> None:
        while not self._closed.is_set():
            try:
                addresses = self._find(self._host, self._own.port)
            except OSError as error:
                log.warning(
                    "the roster stays as it is: %s cannot be looked up: %s", self._host, error
                )
            else:
                self._refresh(addresses, time.monotonic())
            self._closed.wait(self._every)

    def _refresh(self, addresses: set[str], now: float) -> None:
        self._known = {host: known for host, known in self._known.items() if host in addresses}
        for host in sorted(addresses - {self._own.host}):
            known = self._known.get(host)
            if known is None or known.endpoint is None or now - known.asked >= ASK_AGAIN_SECONDS:
                self._known[host] = _Known(self._ask(host), now)
            if self._closed.is_set():
                return
        others = (known.endpoint for known in self._known.values())
        found = (self._own, *(endpoint for endpoint in others if endpoint is not None))
        roster = Roster(tuple(sorted(found, key=lambda endpoint: endpoint.name)))
        if roster != self._roster:
            self._roster = roster
            self._on_roster(roster)

    def _ask(self, host: str) -> Endpoint | None:
        """Return who serves at an address; None if nobody of this job does."""
        port = self._own.port
        try:
            member = parse_member_name(self._who((host, port)))
        except (GossipTrainerError, ValueError) as error:
            log.debug("%s:%s: %s", host, port, error)
            return None
        store_port = port + 1 if member.role is Role.WORKER else 0
        return Endpoint(
            member.role, member.index, member.incarnation, host, port, store_port=store_port
        )
