"""Trains one neural network on workers that exchange models; `Session` is for any training loop."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gossip_trainer.process.session import Session

__all__ = ["Session"]


def __getattr__(name: str) -> Any:
    """Import the session when somebody asks for it: it brings torch, which the launcher avoids."""
    if name == "Session":
        from gossip_trainer.process.session import Session  # noqa: PLC0415 - see above

        return Session
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
