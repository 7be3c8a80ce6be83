"""Writes pages into files; the shell around their pure parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossip_trainer.page.comparison_page import comparison_page
from gossip_trainer.page.html import html
from gossip_trainer.page.run_page import run_page
from gossip_trainer.page.sources import read_run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gossip_trainer.compare.report import Report
    from gossip_trainer.page.records import Page

PAGE = "report.html"


def write_run_page(runs: Sequence[Path], to: Path) -> None:
    """Write one page about the runs in these folders.

    Raises:
        UnreadableRun: a folder holds no run.
        OSError: the page cannot be written.

    """
    labels = run_labels(runs)
    logs = [read_run(run, label) for run, label in zip(runs, labels, strict=True)]
    _write(run_page(logs), to)


def write_comparison_page(report: Report, to: Path) -> None:
    """Write the page of a comparison; OSError if it cannot be written."""
    _write(comparison_page(report), to)


def _write(page: Page, to: Path) -> None:
    """Write a page; who reads an older one meanwhile reads all of it."""
    text = html(page)
    to.parent.mkdir(parents=True, exist_ok=True)
    new = to.with_name(f".{to.name}.new")
    new.write_text(text, encoding="utf-8", errors="replace")
    new.replace(to)


def run_labels(runs: Sequence[Path]) -> list[str]:
    """Name runs by their folders; by the whole path where two folders are called alike."""
    names = [run.resolve().name for run in runs]
    return names if len(set(names)) == len(names) else [str(run) for run in runs]
