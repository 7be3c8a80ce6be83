"""Writes a comparison: everything as JSON, cells and standings as CSV."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

from gossip_trainer.compare.estimate import CONFIDENCE, Estimate
from gossip_trainer.compare.words import notes, verdict_lines

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gossip_trainer.compare.report import Report
    from gossip_trainer.compare.summary import Outcome, Standing
    from gossip_trainer.compare.verdict import Crossover, Gap, Verdict

DOCUMENT = "comparison.json"
CELLS_TABLE = "results.csv"
SUMMARY_TABLE = "summary.csv"

ESTIMATES = (
    "seconds",
    "samples",
    "steps",
    "received_bytes",
    "accuracy",
    "consensus_distance",
)

Row = dict[str, object]


def write_tables(report: Report, directory: Path) -> None:
    """Write comparison.json, results.csv (one row per cell) and summary.csv (one per standing)."""
    (directory / DOCUMENT).write_bytes(as_json(report))
    (directory / CELLS_TABLE).write_text(as_csv([cell_row(each) for each in report.outcomes]))
    (directory / SUMMARY_TABLE).write_text(as_csv([summary_row(each) for each in report.best]))


def as_json(report: Report) -> bytes:
    """Write the whole comparison, without the time series, as indented JSON."""
    document = {
        "job": report.job,
        "target": {"metric": report.target.metric, "value": report.target.value},
        "mode": report.mode,
        "confidence": CONFIDENCE,
        "cells": [cell_row(outcome) for outcome in report.outcomes],
        "standings": [_standing(standing) for standing in report.every],
        "best": [_standing(standing) for standing in report.best],
        "verdicts": [_verdict(verdict) for verdict in report.verdicts],
        "crossovers": [_crossover(crossover) for crossover in report.crossovers],
        "words": verdict_lines(report.verdicts, report.crossovers),
        "notes": notes(report.best),
    }
    return (json.dumps(document, indent=2, allow_nan=False) + "\n").encode()


def as_csv(rows: Sequence[Row]) -> str:
    """Write rows with one header; all have the same keys, and None is an empty field."""
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def cell_row(outcome: Outcome) -> Row:
    """Return what is known of one cell."""
    cell, reached, final = outcome.cell, outcome.reached, outcome.final
    return {
        "strategy": cell.strategy,
        "workers": cell.workers,
        "learning_rate": cell.learning_rate,
        "seed": cell.seed,
        "batch_size": cell.batch_size,
        "key": cell.key,
        "outcome": "failed" if final is None else "reached" if reached else "not reached",
        "seconds_to_target": reached.seconds if reached else None,
        "samples_to_target": reached.samples if reached else None,
        "steps_to_target": reached.steps if reached else None,
        "received_bytes_to_target": reached.received_bytes if reached else None,
        "final_seconds": final.seconds if final else None,
        "final_samples": final.samples if final else None,
        "final_accuracy": final.accuracy if final else None,
        "final_loss": final.loss if final else None,
        "final_consensus_distance": final.consensus_distance if final else None,
        "stop": outcome.finding.stop if outcome.finding else None,
        "wall_seconds": outcome.finding.wall_seconds if outcome.finding else None,
        "error": outcome.error,
    }


def summary_row(standing: Standing) -> Row:
    """Return one standing, its estimates as three columns each."""
    row = _head(standing)
    for name in ESTIMATES:
        value: Estimate | None = getattr(standing, name)
        row[f"{name}_mean"] = value.mean if value else None
        row[f"{name}_low"] = value.low if value else None
        row[f"{name}_high"] = value.high if value else None
    return row


def _head(standing: Standing) -> Row:
    return {
        "strategy": standing.strategy,
        "workers": standing.workers,
        "learning_rate": standing.learning_rate,
        "learning_rate_edge": standing.edge,
        "seeds": len(standing.outcomes),
        "reached": standing.num_reached,
        "failed": standing.num_failed,
        "at_least_seconds": standing.at_least_seconds,
    }


def _standing(standing: Standing) -> Row:
    return _head(standing) | {name: _estimate(getattr(standing, name)) for name in ESTIMATES}


def _estimate(value: Estimate | None) -> Row | None:
    if value is None:
        return None
    return {"mean": value.mean, "low": value.low, "high": value.high}


def _verdict(verdict: Verdict) -> Row:
    return {
        "workers": verdict.workers,
        "first": verdict.first.strategy if verdict.first else None,
        "gaps": [_gap(gap) for gap in verdict.gaps],
    }


def _gap(gap: Gap) -> Row:
    return {
        "strategy": gap.rival.strategy,
        "seconds_later": _estimate(gap.later),
        "ratio": gap.ratio,
        "certain": gap.is_certain,
    }


def _crossover(crossover: Crossover) -> Row:
    return {
        "before": crossover.before,
        "after": crossover.after,
        "between": [crossover.below, crossover.above],
        "at": crossover.at,
        "certain": crossover.is_certain,
    }
