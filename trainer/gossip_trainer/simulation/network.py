"""Transfers between members, whose links share their bandwidth fairly.

Every member has one full-duplex link to a network that is itself never the limit. At each end the
transfers under way in the same direction have equal shares, and a transfer runs at the smaller of
its two: B / max(out of the sender, into the receiver). With one transfer at a time into every
receiver, as in pull gossip, that is max-min fairness; else a share that a transfer cannot use is
left unused. Rates change when a transfer at either end begins or ends.

Knows nothing of what is sent.
"""

from collections import defaultdict
from collections.abc import Callable
from functools import partial

from gossip_trainer.simulation.clock import Clock, Event


class Transfer:
    """Bytes on their way; `arrived` or `lost` is called once, at the receiver."""

    __slots__ = ("arrived", "event", "lost", "rate", "receiver", "remaining", "sender", "since")

    def __init__(
        self,
        sender: str,
        receiver: str,
        num_bytes: float,
        arrived: Callable[[], None],
        lost: Callable[[], None],
    ) -> None:
        self.sender, self.receiver = sender, receiver
        self.remaining = num_bytes
        self.arrived, self.lost = arrived, lost
        self.rate, self.since = 0.0, 0.0
        self.event: Event | None = None


# A dictionary of None is a set that keeps its order, which ties depend on.
_Transfers = dict[Transfer, None]


class Network:
    """All links.

    Args:
        clock: virtual time.
        bandwidth: bytes per second of a link, in each direction.
        latency: seconds from one member to another.

    """

    def __init__(self, clock: Clock, *, bandwidth: float, latency: float) -> None:
        self._clock = clock
        self.bandwidth = bandwidth
        self.latency = latency
        self._out: defaultdict[str, _Transfers] = defaultdict(dict)
        self._in: defaultdict[str, _Transfers] = defaultdict(dict)

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
        transfer = Transfer(sender, receiver, num_bytes, arrived, lost)
        transfer.since = self._clock.now
        self._out[sender][transfer] = None
        self._in[receiver][transfer] = None
        self._share(sender, receiver)

    def drop(self, member: str) -> None:
        """End every transfer of a member that is gone; the other end hears a latency later."""
        for transfer in [*self._out[member], *self._in[member]]:
            self._end(transfer)
            self._clock.after(self.latency, transfer.lost)

    def _end(self, transfer: Transfer) -> None:
        assert transfer.event is not None
        transfer.event.cancel()
        del self._out[transfer.sender][transfer]
        del self._in[transfer.receiver][transfer]
        self._share(transfer.sender, transfer.receiver)

    def _arrive(self, transfer: Transfer) -> None:
        self._end(transfer)
        self._clock.after(self.latency, transfer.arrived)

    def _share(self, sender: str, receiver: str) -> None:
        """Give every transfer at these two ends the rate it has from now on."""
        now = self._clock.now
        for transfer in self._out[sender] | self._in[receiver]:
            crowd = max(len(self._out[transfer.sender]), len(self._in[transfer.receiver]))
            rate = self.bandwidth / crowd
            if rate == transfer.rate:
                continue
            transfer.remaining -= transfer.rate * (now - transfer.since)
            transfer.rate, transfer.since = rate, now
            if transfer.event is not None:
                transfer.event.cancel()
            seconds = max(0.0, transfer.remaining) / rate
            transfer.event = self._clock.after(seconds, partial(self._arrive, transfer))
