"""A server's metrics."""

from collections.abc import Callable

from gossip_api.metrics import processes
from gossip_api.metrics.instruments import Instruments
from gossip_trainer.observability.events import Record
from gossip_trainer.process.metrics.page import Total
from gossip_trainer.training.served_shard import ServedShard


class ServerMetrics:
    """Read from the shard it serves.

    Args:
        instruments: to set.
        shard: counts what it takes in and answers.
        pulled_bytes: tells how many model bytes others have pulled.

    """

    def __init__(
        self, instruments: Instruments, shard: ServedShard, pulled_bytes: Callable[[], int]
    ) -> None:
        self._shard = shard
        self._pulled_bytes = pulled_bytes
        self._version = instruments.gauge(processes.VERSION)
        self._messages = Total(instruments.counter(processes.MESSAGES))
        transferred = instruments.counter(processes.SERVER_BYTES)
        self._received = Total(transferred.labels(direction="received"))
        self._sent = Total(transferred.labels(direction="sent"))

    def note(self, record: Record) -> None:
        """Ignore it: all is counted."""

    def refresh(self) -> None:
        """Read the counts."""
        shard = self._shard
        self._version.set(shard.version)
        self._messages.set(shard.messages)
        self._received.set(shard.received_bytes)
        self._sent.set(shard.sent_bytes + self._pulled_bytes())
