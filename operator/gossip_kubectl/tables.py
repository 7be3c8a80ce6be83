"""What `status` shows: a table of jobs, or one job with all that is around it. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from gossip_api.names import member_name
from gossip_kubectl.words import (
    NOTHING,
    age,
    duration,
    number,
    quality,
    result_words,
    share,
    state,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from rich.console import RenderableType

    from gossip_api.status import Failure
    from gossip_kubectl.views import EventView, JobView, ProcessView

STYLES = {
    "Succeeded": "green",
    "Running": "green",
    "Degraded": "yellow",
    "Failed": "red",
    "Suspended": "dim",
    "ready": "green",
    "finished": "green",
    "failed": "red",
    "waiting": "yellow",
    "not": "yellow",
}
BAR_WIDTH = 40
NUM_PROCESSES = 20
"""Rows of a table; of more processes those that fare well are only counted."""
NUM_FAILURES = 5
NUM_EVENTS = 5
FARE_WELL = ("ready", "finished")
FINE = {("Accepted", "True"), ("WorkersReady", "True"), ("Progressing", "True")} | {
    (kind, "False") for kind in ("Degraded", "Suspended", "Failed", "Complete")
}
"""Conditions that say nothing which the rest does not say."""


def jobs_table(jobs: Iterable[JobView], now: datetime, *, with_namespace: bool) -> RenderableType:
    """Return one row per job."""
    table = _table()
    columns = ["NAMESPACE"] if with_namespace else []
    for column in (*columns, "NAME", "STRATEGY", "STATE"):
        table.add_column(column, no_wrap=True, overflow="fold")
    for column in ("READY", "DONE", "STEP", "LOSS", "ACCURACY", "ETA", "RESTARTS", "AGE"):
        table.add_column(column, justify="right", no_wrap=True)
    for job in jobs:
        place = [job.namespace] if with_namespace else []
        table.add_row(*place, job.name, job.strategy, _styled(state(job)), *_cells(job, now))
    return table


def job_page(
    job: JobView, processes: Sequence[ProcessView], events: Sequence[EventView], now: datetime
) -> RenderableType:
    """Return all about one job: what is wrong with it comes before what is merely there."""
    sections = [
        [*_header(job, now), *_conditions(job)],
        [_failures(job.status.failures[:NUM_FAILURES], now)] if job.status.failures else [],
        [processes_table(processes, now)] if processes else [],
        [_events(events[-NUM_EVENTS:], now)] if events else [],
    ]
    parts = [part for section in filter(None, sections) for part in (*section, Text())]
    return Group(*parts[:-1])


def processes_table(processes: Sequence[ProcessView], now: datetime) -> RenderableType:
    """Return one row per process; of very many those in trouble, and how many there are besides."""
    table, shown = _processes_header(), processes
    if len(processes) > NUM_PROCESSES:
        troubled = [process for process in processes if process.state not in FARE_WELL]
        shown = troubled[:NUM_PROCESSES]
    for process in shown:
        step = NOTHING if process.step is None else f"{process.step:,}"
        table.add_row(
            process.member.name,
            _styled(process.state),
            age(process.since, now),
            step,
            str(process.restarts),
            process.node or NOTHING,
        )
    if len(shown) == len(processes):
        return table
    names = {process.member.name for process in shown}
    rest = Counter(p.state.partition(":")[0] for p in processes if p.member.name not in names)
    counts = ", ".join(f"{count} {word}" for word, count in rest.most_common())
    return Group(table, Text(f"and {rest.total()} more processes: {counts}"))


def _processes_header() -> Table:
    table = _table()
    table.add_column("PROCESS", no_wrap=True)
    table.add_column("STATE", overflow="fold")
    table.add_column("FOR", justify="right", no_wrap=True)
    table.add_column("STEP", justify="right", no_wrap=True)
    table.add_column("RESTARTS", justify="right", no_wrap=True)
    table.add_column("NODE", overflow="fold")
    return table


def _header(job: JobView, now: datetime) -> list[RenderableType]:
    status, progress = job.status, job.status.progress
    head = Text(f"{job.namespace}/{job.name}", style="bold")
    head.append(f"  {job.strategy}, ", style="not bold")
    head.append_text(_styled(state(job)))
    counts = status.workers
    if counts is not None and counts.display and not job.is_over:
        head.append(f", {counts.display} workers ready", style="not bold")
    head.append(f", {age(job.created, now)} old", style="not bold")
    lines: list[RenderableType] = [head]
    if progress is not None and progress.percent is not None and not job.is_over:
        eta = "" if progress.eta_seconds is None else f", {duration(progress.eta_seconds)} left"
        bar = "=" * (BAR_WIDTH * progress.percent // 100)
        lines.append(Text(f"[{bar:<{BAR_WIDTH}}] {progress.percent}%{eta}"))
    if status.result is not None:
        lines.append(Text(f"result: {result_words(status.result)}"))
        if status.result.model is not None:
            lines.append(Text(f"model: {status.result.model}"))
    elif progress is not None:
        told = [
            "" if progress.step is None else f"step {progress.step:,}",
            "" if progress.epoch is None else f"epoch {number(progress.epoch)}",
            ""
            if progress.samples_per_second is None
            else f"{number(progress.samples_per_second)} samples/s",
            quality(progress),
        ]
        lines.append(Text(", ".join(filter(None, told))))
    return lines


def _conditions(job: JobView) -> list[RenderableType]:
    """Say what is not as it should be; of a job that is over, how it ended."""
    if not job.status.conditions:
        return [Text("No operator has looked at this job yet; is one running?", style="yellow")]
    return [
        Text(f"{one.type}={one.status} {one.reason}" + (f": {one.message}" if one.message else ""))
        for one in job.status.conditions
        if (one.type, one.status) not in FINE
        and (not job.is_over or one.type in {"Complete", "Failed"})
    ]


def _failures(failures: Iterable[Failure], now: datetime) -> RenderableType:
    table = _table()
    for column in ("AGO", "FAILURE", "REASON"):
        table.add_column(column, no_wrap=True)
    for column in ("NODE", ""):
        table.add_column(column, overflow="fold")
    for one in failures:
        code = "" if one.exit_code is None else f" ({one.exit_code})"
        table.add_row(
            age(one.time, now),
            member_name(one.role, one.index, one.incarnation),
            Text(f"{one.reason}{code}", style="red"),
            one.node or NOTHING,
            Text(one.message),
        )
    return table


def _events(events: Iterable[EventView], now: datetime) -> RenderableType:
    table = _table()
    for column in ("AGO", "EVENT"):
        table.add_column(column, no_wrap=True)
    table.add_column("", overflow="fold")
    for event in events:
        reason = Text(event.reason, style="yellow" if event.is_warning else "")
        table.add_row(age(event.time, now), reason, Text(event.text))
    return table


def _cells(job: JobView, now: datetime) -> tuple[str, ...]:
    status = job.status
    progress, measured = status.progress, status.result or status.progress
    ready = status.workers.display if status.workers is not None else None
    percent = progress.percent if progress is not None else None
    step = measured.step if measured is not None else None
    eta = progress.eta_seconds if progress is not None and not job.is_over else None
    return (
        ready or NOTHING,
        NOTHING if percent is None else f"{percent}%",
        NOTHING if step is None else f"{step:,}",
        number(measured.loss if measured is not None else None),
        share(measured.accuracy if measured is not None else None),
        duration(eta),
        str(status.restarts or 0),
        age(job.created, now),
    )


def _table() -> Table:
    return Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")


def _styled(word: str) -> Text:
    return Text(word, style=STYLES.get(word.split(maxsplit=1)[0].rstrip(":"), ""))
