"""Numbers, times and results in words for people. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from gossip_api.status import Progress, Result
    from gossip_kubectl.views import JobView

NOTHING = "-"


def duration(seconds: float | None) -> str:
    """Write a length of time in its two largest units, as kubectl does: `12s`, `3m5s`, `2h10m`."""
    if seconds is None:
        return NOTHING
    whole = max(round(seconds), 0)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60}m"
    return f"{whole // 86400}d{whole % 86400 // 3600}h"


def age(since: datetime | None, now: datetime) -> str:
    """Say how long ago something was."""
    return NOTHING if since is None else duration((now - since).total_seconds())


def number(text: str | None) -> str:
    """Shorten a measured value to four significant digits."""
    if text is None:
        return NOTHING
    try:
        return f"{float(text):.4g}"
    except ValueError:
        return text


def share(text: str | None) -> str:
    """Write a share of 1 in percent: `96.50%`."""
    if text is None:
        return NOTHING
    try:
        return f"{float(text):.2%}"
    except ValueError:
        return text


def quality(measured: Progress | Result) -> str:
    """Say how good a model is; nothing is said of what was not measured."""
    parts = (
        ("accuracy", share(measured.accuracy)),
        ("loss", number(measured.loss)),
        ("consensus distance", number(measured.consensus_distance)),
    )
    return ", ".join(f"{name} {value}" for name, value in parts if value != NOTHING)


def state(job: JobView) -> str:
    """Return a job's state; one that no operator has looked at has none of its own."""
    return job.status.state or "Unseen"


def standing(job: JobView) -> str:
    """Say how a job stands: its state, and once it is over its result, before that its progress."""
    status, parts = job.status, [state(job)]
    if status.result is not None:
        return ", ".join([*parts, result_words(status.result)])
    if status.workers is not None and status.workers.display and not job.is_over:
        parts.append(f"{status.workers.display} workers ready")
    if status.progress is not None:
        percent, step = status.progress.percent, status.progress.step
        parts += [] if percent is None else [f"{percent}%"]
        parts += [] if step is None else [f"step {step:,}"]
        parts.append(quality(status.progress))
    return ", ".join(filter(None, parts))


def result_words(result: Result | None) -> str:
    """Say how good a job's model came out."""
    if result is None:
        return "no result is told"
    told = [quality(result)] if quality(result) else []
    if result.step is not None:
        told.append(f"step {result.step:,}")
    if result.epoch is not None:
        told.append(f"epoch {number(result.epoch)}")
    return ", ".join(told) or "no result is told"
