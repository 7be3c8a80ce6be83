"""Events, numbers and durations in words for people. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossip_trainer.observability.events import (
    AVERAGE,
    Evaluation,
    Failed,
    Left,
    Replaced,
    Stopping,
)
from gossip_trainer.report.summarize import STOP_REASONS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gossip_trainer.observability.events import Record
    from gossip_trainer.report.history import History

NOTHING = "-"


def news(records: Iterable[Record], before: History) -> list[str]:
    """Return a line for each record that people should not miss; `before` is what they know."""
    lines = []
    told_to_stop = bool(before.stopping)
    for record in records:
        match record:
            case Left() if record.exit_code != 0:
                lines.append(f"{record.member} was lost: {record.reason}")
            case Replaced():
                lines.append(f"{record.member} takes the place of {record.instead_of}")
            case Failed():
                lines.append(f"{record.source} gave up: {record.reason}")
            case Stopping() if not told_to_stop:
                told_to_stop = True
                lines.append(f"stopping: {STOP_REASONS.get(record.reason, record.reason)}")
            case _:
                pass
    return lines


def evaluation_line(evaluation: Evaluation) -> str:
    """Put an evaluation into one line."""
    return (
        f"{'final evaluation' if evaluation.final else 'evaluation'}: "
        f"{quality(evaluation.accuracy, evaluation.loss)}, "
        f"consensus distance {number(evaluation.consensus_distance)} "
        f"({_tested(evaluation)})"
    )


def model_name(model: str) -> str:
    """Name what was tested: the averaged model, its moving average, or the servers' centre."""
    return "averaged model" if model == AVERAGE else model


def _tested(evaluation: Evaluation) -> str:
    models = count(evaluation.averaged, "model")
    return f"{evaluation.model} of {models}"


def quality(accuracy: float | None, loss: float | None) -> str:
    """Say how good a model is; without the accuracy where there are no classes."""
    told = f"loss {number(loss)}"
    return told if accuracy is None else f"accuracy {share(accuracy)}, {told}"


def count(value: int, noun: str) -> str:
    """Count things: `1 worker`, `1,200 workers`."""
    return f"{value:,} {noun}{'' if value == 1 else 's'}"


def number(value: float | None) -> str:
    """Write with four significant digits; `-` for None."""
    return NOTHING if value is None else f"{value:.4g}"


def share(value: float | None) -> str:
    """Write a share of 1 in percent: `96.50%`."""
    return NOTHING if value is None else f"{value:.2%}"


def size(num_bytes: float) -> str:
    """Write a number of bytes: `1.5 MB`, in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if num_bytes < 999.5:
            return f"{num_bytes:.3g} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.3g} TB"


def duration(seconds: float | None) -> str:
    """Write a length of time in its two largest units: `12 s`, `3 min 5 s`, `2 h 10 min`."""
    if seconds is None:
        return NOTHING
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
