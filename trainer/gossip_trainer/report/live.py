"""What a run shows of itself while it goes on: a header, and one row per worker. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from gossip_trainer.report.pace import pace
from gossip_trainer.report.words import NOTHING, count, duration, model_name, number, quality, size

if TYPE_CHECKING:
    from rich.console import RenderableType

    from gossip_api.job import GossipTrainingJob
    from gossip_trainer.report.history import History, WorkerHistory

SILENT_SECONDS = 3.0  # workers report about once a second

# Two lines each, so that a table of 80 characters holds them.
COLUMNS = (
    "\nstep",
    "\nloss",
    "samples\nper s",
    "stale-\nness",
    "ex-\nchanges",
    "\nlost",
    "bytes\nin",
    "bytes\nout",
)

STATE_STYLES = {"lost": "red", "silent": "yellow", "finished": "green", "stopping": "green"}


def live_view(history: History, job: GossipTrainingJob) -> RenderableType:
    """Return the header lines and the table of workers."""
    header = Text(job.metadata.name, style="bold")
    header.append(f"  {job.spec.strategy.type}, {_standing(history, job)}", style="not bold")
    lines = [header, Text(_newest_evaluation(history))]
    return Group(*lines, _workers(history))


def is_training(history: History) -> bool:
    """Tell whether any worker that has told of its progress still trains."""
    return any(worker.newest and not _ended(worker) for worker in history.workers.values())


def status_line(history: History, job: GossipTrainingJob) -> str:
    """Put the whole job into one line."""
    going = [worker for worker in history.workers.values() if worker.newest and not _ended(worker)]
    told = [worker.newest for worker in going if worker.newest]
    losses = [progress.loss for progress in told if progress.loss is not None]
    rate = sum(progress.samples_per_second for progress in told)
    parts = [
        _standing(history, job),
        f"{count(len(going), 'worker')} at step {max((p.step for p in told), default=0):,}",
        f"loss {number(sum(losses) / len(losses) if losses else None)}",
        f"{rate:,.0f} samples/s",
    ]
    if lost := sum(progress.lost for progress in told):
        parts.append(f"{count(lost, 'exchange')} lost")
    return ", ".join(parts)


def state(worker: WorkerHistory, now: float) -> str:
    """Return a worker's state in a word or two; `now` is in seconds since the epoch."""
    if worker.is_lost:
        return "lost"
    if worker.left or worker.finished:
        return "finished"
    if worker.stopping:
        return "stopping"
    if worker.began is None:
        return "ready" if worker.started else NOTHING
    silence = now - (worker.newest or worker.began).time
    return f"silent {duration(silence)}" if silence > SILENT_SECONDS else "training"


def _ended(worker: WorkerHistory) -> bool:
    return bool(worker.left or worker.finished)


def _standing(history: History, job: GossipTrainingJob) -> str:
    standing = pace(history, job.spec.training.budget)
    if standing is None:
        return "starting"
    left = "" if standing.seconds_left is None else f", {duration(standing.seconds_left)} left"
    return f"{standing.fraction:.0%} after {duration(standing.seconds)}{left}"


def _newest_evaluation(history: History) -> str:
    if not history.evaluations:
        return "no evaluation yet"
    newest = history.evaluations[-1]
    return (
        f"{model_name(newest.model)} after {duration(newest.seconds)}: "
        f"{quality(newest.accuracy, newest.loss)}, "
        f"consensus distance {number(newest.consensus_distance)}"
    )


def _workers(history: History) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("\nworker", no_wrap=True)
    table.add_column("\nstate", no_wrap=True)
    for name in COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for worker in history.workers.values():
        word = state(worker, history.last_time or 0.0)
        style = STATE_STYLES.get(word.split()[0], "")
        table.add_row(worker.name, Text(word, style=style), *_cells(worker))
    return table


def _cells(worker: WorkerHistory) -> tuple[str, ...]:
    told = worker.newest
    if told is None:
        return (NOTHING,) * len(COLUMNS)
    return (
        f"{told.step:,}",
        number(told.loss),
        f"{told.samples_per_second:,.0f}",
        NOTHING if told.staleness is None else f"{told.staleness:.1f}",
        f"{told.exchanges:,}",
        f"{told.lost:,}",
        size(told.received_bytes),
        size(told.sent_bytes),
    )
