"""From the logs of one run or several to a page. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gossip_trainer.page.curves import (
    evaluated,
    evaluation_positions,
    training_loss,
    workers_own,
)
from gossip_trainer.page.facts import facts_of, results_table
from gossip_trainer.page.records import Chart, Page, Section, Series
from gossip_trainer.page.story import story_of
from gossip_trainer.page.tracks import tracks_of
from gossip_trainer.report.words import model_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gossip_trainer.observability.events import Evaluation
    from gossip_trainer.page.records import Measure
    from gossip_trainer.page.sources import RunLog
    from gossip_trainer.page.tracks import Track

HELD_OUT_LOSS = "Loss on held-out data"
HELD_OUT_ACCURACY = "Accuracy on held-out data"
CONSENSUS = "Consensus distance"
TRAINING_LOSS = "Training loss"


def run_page(logs: Sequence[RunLog]) -> Page:
    """Return the page of one run with its workers, or of several beside each other."""
    tracks = [tracks_of(log.history) for log in logs]
    charts = _alone(logs[0], tracks[0]) if len(logs) == 1 else _together(logs, tracks)
    summary = logs[0].summary
    alone = len(logs) == 1
    return Page(
        title=f"{summary.job}: {summary.strategy}, {summary.num_workers} workers"
        if alone
        else ", ".join(log.label for log in logs),
        lead=(f"{summary.outcome}: {summary.reason}",) if alone else (),
        facts=facts_of(summary) if alone else (),
        warnings=tuple(
            text
            for log, those in zip(logs, tracks, strict=True)
            for text in (*log.warnings, *_unsound(log, those))
        ),
        sections=(Section(title="Curves", charts=tuple(each for each in charts if each.series)),),
        tables=() if alone else (results_table(logs),),
        stories=tuple(story_of(log, of) for log, of in zip(logs, tracks, strict=True)),
    )


def _alone(log: RunLog, tracks: Sequence[Track]) -> list[Chart]:
    history, workers = log.history, log.summary.num_workers
    at = evaluation_positions(history, tracks, workers)
    whole = model_name(history.evaluations[-1].model) if history.evaluations else ""
    own = "workers' own models"
    return [
        _chart(
            log,
            HELD_OUT_LOSS,
            evaluated(history, at, lambda each: each.loss, label=whole, style=0),
            workers_own(history, at, lambda each: each.loss, label=own, style=1),
        ),
        _chart(
            log,
            HELD_OUT_ACCURACY,
            evaluated(history, at, lambda each: each.accuracy, label=whole, style=0),
            workers_own(history, at, lambda each: each.accuracy, label=own, style=1),
        ),
        _chart(
            log, TRAINING_LOSS, training_loss(tracks, workers, label="mean of workers", style=2)
        ),
        _chart(
            log,
            CONSENSUS,
            evaluated(
                history,
                at,
                lambda each: each.consensus_distance,
                label="the workers' models to their average",
                style=3,
            ),
        ),
    ]


def _together(logs: Sequence[RunLog], tracks: Sequence[Sequence[Track]]) -> list[Chart]:
    ats = [
        evaluation_positions(log.history, those, log.summary.num_workers)
        for log, those in zip(logs, tracks, strict=True)
    ]

    def curves(of: Callable[[Evaluation], float | None]) -> list[Series]:
        return [
            evaluated(log.history, at, of, label=log.label, style=place)
            for place, (log, at) in enumerate(zip(logs, ats, strict=True))
        ]

    training = [
        training_loss(those, log.summary.num_workers, label=log.label, style=place)
        for place, (log, those) in enumerate(zip(logs, tracks, strict=True))
    ]
    return [
        _chart(logs[0], HELD_OUT_LOSS, *curves(lambda each: each.loss)),
        _chart(logs[0], HELD_OUT_ACCURACY, *curves(lambda each: each.accuracy)),
        _chart(logs[0], TRAINING_LOSS, *training),
        _chart(logs[0], CONSENSUS, *curves(lambda each: each.consensus_distance)),
    ]


def _chart(log: RunLog, title: str, *series: Series | None) -> Chart:
    """Join curves; those without any value are left out."""
    target = log.job.spec.training.target
    metric = {HELD_OUT_LOSS: "loss", HELD_OUT_ACCURACY: "accuracy"}.get(title)
    measure: Measure = "share" if title == HELD_OUT_ACCURACY else "number"
    return Chart(
        title=title,
        measure=measure,
        series=tuple(each for each in series if each is not None and np.isfinite(each.y).any()),
        target=target.value if target and target.metric == metric else None,
    )


def _unsound(log: RunLog, tracks: Sequence[Track]) -> Iterator[str]:
    """Tell of losses that were not finite: the curves have gaps there."""
    if evaluations := sum(each.loss is None for each in log.history.evaluations):
        yield f"{log.label}: the loss was not finite in {evaluations:,} of its evaluations"
    if reports := sum(int(np.isnan(track.loss[1:]).sum()) for track in tracks):
        yield f"{log.label}: the training loss was not finite in {reports:,} reports of workers"
