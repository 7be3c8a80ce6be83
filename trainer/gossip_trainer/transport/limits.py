"""How long the transport waits and how much it accepts, in one place."""

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one server or client; the defaults suit workers in one cluster.

    Deadlines are on progress, not on the total: a large model over a thin link is fine as long as
    bytes keep coming.

    Attributes:
        connect_seconds: for a connection to be made.
        handshake_seconds: for TLS and for the first message of a new connection.
        window_seconds: the span in which a message must make progress.
        min_bytes_per_window: what counts as progress, unless less is left to transfer.
        idle_seconds: a connection that asks nothing for so long is closed by the server.
        max_connections: served at once, a thread each; above that the longest silent one makes
            room, and with none silent the newcomer is told that the server is busy.
        open_connections: kept by a client for its next pulls.

    """

    connect_seconds: float = 2.0
    handshake_seconds: float = 2.0
    window_seconds: float = 2.0
    min_bytes_per_window: int = 256 * 1024
    idle_seconds: float = 300.0
    max_connections: int = 128
    open_connections: int = 16

    def __post_init__(self) -> None:
        """Refuse bounds that would mean "for ever" or "never"."""
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise ValueError(f"Limits.{field.name} must be above 0, got {value!r}")
