"""Transfers between members, whose links share their bandwidth fairly.

Every member has one link to a network that is itself never the limit. A link has two ends of full
bandwidth, one for each direction; those of a half-duplex link are one and the same. At an end the
transfers under way have equal shares, and a transfer runs at the smaller of its two:

    B / max(transfers at the end it leaves by, transfers at the end it comes in by)

With one transfer at a time into every receiver, as in pull gossip, that is max-min fairness; else a
share that a transfer cannot use is left unused. Rates change when a transfer at either end begins
or ends.

All transfers that the same end limits run at the same rate. So an end counts the bytes that each of
them was given, a transfer keeps the count at which it is over, and only the first of an end's
transfers has an event of its own. Beginning or ending one among n at an end costs a look at each of
them and O(log n) for the order, but no new event for each.

Knows nothing of what is sent.
"""

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Literal

from gossip_trainer.simulation.clock import Clock, Event


class End:
    """One direction of a link, or both of a half-duplex one.

    Attributes:
        transfers: those that pass through; a dictionary of None is a set that keeps its order.
        given: bytes that each transfer limited by this end was given, since some moment.
        since: when `given` was right.
        due: (`given` at which it is over, number, transfer), a heap; stale where the number is not
            the transfer's.
        event: the end of the first of them.

    """

    __slots__ = ("due", "event", "given", "since", "transfers")

    def __init__(self) -> None:
        self.transfers: dict[Transfer, None] = {}
        self.given, self.since = 0.0, 0.0
        self.due: list[tuple[float, int, Transfer]] = []
        self.event: Event | None = None

    def first(self) -> "tuple[float, int, Transfer] | None":
        """Return what is due first, without what is stale before it."""
        while self.due and self.due[0][1] != self.due[0][2].number:
            heapq.heappop(self.due)
        return self.due[0] if self.due else None


class Transfer:
    """Bytes on their way; `arrived` or `lost` is called once, at the receiver."""

    __slots__ = ("arrived", "enters", "leaves", "limit", "lost", "number", "over", "remaining")

    def __init__(
        self,
        leaves: End,
        enters: End,
        num_bytes: float,
        arrived: Callable[[], None],
        lost: Callable[[], None],
    ) -> None:
        self.leaves, self.enters = leaves, enters
        self.remaining = num_bytes  # when it began, or was last given another limit
        self.arrived, self.lost = arrived, lost
        self.limit: End | None = None
        self.over = 0.0
        self.number = -1

    def slower(self) -> End:
        """Return the end with more transfers, which limits this one."""
        crowded = len(self.leaves.transfers) > len(self.enters.transfers)
        return self.leaves if crowded else self.enters


class Network:
    """All links.

    Args:
        clock: virtual time.
        bandwidth: bytes per second of an end of a link.
        latency: seconds from one member to another.
        duplex: whether a link has an end for each direction (Full) or one for both (Half).

    Attributes:
        bandwidth_both_ways: bytes per second in each direction while both are used.

    """

    def __init__(
        self,
        clock: Clock,
        *,
        bandwidth: float,
        latency: float,
        duplex: Literal["Full", "Half"] = "Full",
    ) -> None:
        self._clock = clock
        self.bandwidth = bandwidth
        self.bandwidth_both_ways = bandwidth / 2 if duplex == "Half" else bandwidth
        self.latency = latency
        self._out: defaultdict[str, End] = defaultdict(End)
        self._in = self._out if duplex == "Half" else defaultdict(End)
        self._numbers = 0

    def send(
        self,
        sender: str,
        receiver: str,
        num_bytes: float,
        *,
        arrived: Callable[[], None],
        lost: Callable[[], None],
    ) -> None:
        """Send; the last byte arrives one latency after it left."""
        transfer = Transfer(self._out[sender], self._in[receiver], num_bytes, arrived, lost)
        for end in (transfer.leaves, transfer.enters):
            self._count(end)
            end.transfers[transfer] = None
        self._share(transfer)

    def drop(self, member: str) -> None:
        """End every transfer of a member that is gone; the other end hears a latency later."""
        for transfer in self._out[member].transfers | self._in[member].transfers:
            self._end(transfer)
            self._clock.after(self.latency, transfer.lost)

    def _arrive(self, transfer: Transfer) -> None:
        self._end(transfer)
        self._clock.after(self.latency, transfer.arrived)

    def _end(self, transfer: Transfer) -> None:
        transfer.number = -1
        for end in (transfer.leaves, transfer.enters):
            self._count(end)
            del end.transfers[transfer]
        self._share(transfer)

    def _share(self, changed: Transfer) -> None:
        """Give every transfer at the ends of `changed` its limit, and every limit its event."""
        touched = {changed.leaves: None, changed.enters: None}
        for end in (changed.leaves, changed.enters):
            for transfer in end.transfers:
                limit = transfer.slower()
                if transfer.limit is not limit:
                    touched |= dict.fromkeys(self._move(transfer, limit))
        for end in touched:
            self._expect(end)

    def _move(self, transfer: Transfer, limit: End) -> Iterable[End]:
        """Let another end limit the transfer; return the ends whose order that changes."""
        old, transfer.limit = transfer.limit, limit
        if old is not None:
            self._count(old)
            transfer.remaining = transfer.over - old.given
        self._count(limit)
        transfer.over = limit.given + transfer.remaining
        transfer.number = self._numbers
        self._numbers += 1
        heapq.heappush(limit.due, (transfer.over, transfer.number, transfer))
        return (limit,) if old is None else (old, limit)

    def _count(self, end: End) -> None:
        """Bring up to now what each transfer limited by an end was given."""
        if end.transfers:
            seconds = self._clock.now - end.since
            end.given += seconds * self.bandwidth / len(end.transfers)
        else:  # small numbers are exact
            end.given = 0.0
            end.due.clear()
        end.since = self._clock.now

    def _expect(self, end: End) -> None:
        """Put the end of the first transfer that an end limits on the clock."""
        if end.event is not None:
            end.event.cancel()
            end.event = None
        first = end.first()
        if first is not None:
            over, _, transfer = first
            rate = self.bandwidth / len(end.transfers)
            seconds = max(0.0, over - end.given) / rate
            end.event = self._clock.after(seconds, partial(self._arrive, transfer))
