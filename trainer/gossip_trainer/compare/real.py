"""Carries out a cell as a run on this machine, one process per worker, and reads its event log."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from gossip_trainer.compare.records import Finding, Point
from gossip_trainer.errors import DIVERGED, RunError
from gossip_trainer.launch.local_run import RunOptions, run_locally
from gossip_trainer.observability.event_log import EventTail
from gossip_trainer.progress.ledger import StopReason
from gossip_trainer.report.files import EVENTS, write_report
from gossip_trainer.report.history import History, fold
from gossip_trainer.report.pace import pace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gossip_trainer.compare.plan import Cell
    from gossip_trainer.observability.events import Evaluation, Record

RUNS = "runs"


def run_cell(out: Path, cell: Cell, watch: Callable[[float], None]) -> Finding:
    """Run the cell's job in `out`/runs/<key>; what an earlier attempt left there is removed.

    Raises:
        RunError: the run failed, for another reason than that its model diverged.
        KeyboardInterrupt: it was interrupted.

    """
    directory = out / RUNS / cell.key
    shutil.rmtree(directory, ignore_errors=True)
    known = History()

    def tell(records: list[Record]) -> None:
        nonlocal known
        known = fold(records, known).latest()
        stand = pace(known, cell.job.spec.training.budget)
        watch(stand.fraction if stand else 0.0)

    outcome = run_locally(cell.job, RunOptions(out=directory), tell)
    if outcome.state == "interrupted":
        raise KeyboardInterrupt
    summary = write_report(directory, cell.job, state=outcome.state, reason=outcome.reason)
    history = fold(EventTail(directory / EVENTS).new())
    diverged = outcome.state == "failed" and _diverged(history, outcome.reason or "")
    if outcome.state == "failed" and not diverged:
        raise RunError(f"the run failed: {outcome.reason} (its files: {directory})")
    return finding(cell, history, StopReason.DIVERGED if diverged else summary.reason)


def finding(cell: Cell, history: History, stop: str) -> Finding:
    """Keep of a run what a comparison needs."""
    points = [_point(history, each, cell.workers) for each in history.evaluations]
    if points and stop == StopReason.DIVERGED:
        # What was left of it says nothing of how well it learns.
        points[-1] = msgspec.structs.replace(points[-1], accuracy=None)
    return Finding(
        key=cell.key,
        points=tuple(points),
        stop=stop,
        wall_seconds=history.training_seconds,
    )


def _diverged(history: History, reason: str) -> bool:
    """Tell whether a worker or the evaluator found that there is no sense in going on."""
    last = history.evaluations[-1] if history.evaluations else None
    return DIVERGED in reason or (last is not None and last.final and last.loss is None)


def _point(history: History, evaluation: Evaluation, workers: int) -> Point:
    """Place an evaluation among the counts that the workers told before and after it."""
    steps = received = 0.0
    at = evaluation.seconds
    for worker in history.workers.values():
        if worker.began is None:
            continue
        times = [history.seconds_at(worker.began.time)]
        times += [history.seconds_at(told.time) for told in worker.progress]
        steps += np.interp(at, times, [0, *(told.step for told in worker.progress)])
        received += np.interp(at, times, [0, *(told.received_bytes for told in worker.progress)])
    return Point(
        seconds=at,
        samples=evaluation.job_samples,
        steps=float(steps) / workers,
        received_bytes=float(received) / workers,
        accuracy=None if evaluation.loss is None else evaluation.accuracy,
        loss=evaluation.loss,
        consensus_distance=evaluation.consensus_distance,
    )
