"""Times: seconds since the epoch inside, RFC 3339 in whole seconds in the job's status."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import overload


@overload
def moment(at: float) -> datetime: ...
@overload
def moment(at: None) -> None: ...
def moment(at: float | None) -> datetime | None:
    """Return the time as the status has it; whole seconds, as Kubernetes writes times."""
    return None if at is None else datetime.fromtimestamp(int(at), UTC)


@overload
def seconds(at: datetime) -> float: ...
@overload
def seconds(at: None) -> None: ...
def seconds(at: datetime | None) -> float | None:
    """Return a time of the status in seconds since the epoch."""
    return None if at is None else at.timestamp()
