"""Writes the report into a run's directory: summary.json and curves.png, from its event log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossip_trainer.observability.event_log import EventTail
from gossip_trainer.report.history import fold
from gossip_trainer.report.summarize import summarize
from gossip_trainer.report.summary import RunState, Summary, write_summary

if TYPE_CHECKING:
    from pathlib import Path

    from gossip_api.job import GossipTrainingJob

EVENTS = "events.jsonl"
SUMMARY = "summary.json"
CURVES = "curves.png"


def write_report(
    directory: Path, job: GossipTrainingJob, *, state: RunState, reason: str | None
) -> Summary:
    """Write summary and curves of the run in `directory`; return the summary."""
    # matplotlib takes half a second to import; what does not draw should not pay for it.
    from gossip_trainer.report.curves import draw_curves  # noqa: PLC0415

    history = fold(EventTail(directory / EVENTS).new())
    workers = job.spec.workers.replicas
    title = f"{job.metadata.name}: {job.spec.strategy.type}, {workers} workers"
    draw_curves(history, directory / CURVES, title)
    present = {path.name for path in directory.iterdir() if path.is_file()} | {SUMMARY}
    files = sorted(name for name in present if not name.startswith("."))
    summary = summarize(history, job, state=state, reason=reason, files=files)
    write_summary(summary, directory / SUMMARY)
    return summary
