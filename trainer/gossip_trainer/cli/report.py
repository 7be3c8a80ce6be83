"""`gossip report`: one web page about runs, and their scalars for TensorBoard."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gossip_trainer.cli.errors import OK, InvalidCommand
from gossip_trainer.compare.store import CELLS
from gossip_trainer.page.sources import UnreadableRun, read_run
from gossip_trainer.page.tensorboard import export
from gossip_trainer.page.write import PAGE, run_labels, write_comparison_page, write_run_page
from gossip_trainer.report.files import EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rich.console import Console

    from gossip_trainer.compare.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRequest:
    """What the command line of `gossip report` asks for; the options' help says what each means."""

    runs: Sequence[Path]
    out: Path | None = None
    tensorboard: Path | None = None


def report(request: ReportRequest) -> int:
    """Write the page and print its path; return the exit code."""
    to = request.out or _place(request.runs)
    for run in request.runs:
        if (run / CELLS).exists():
            raise InvalidCommand(
                f"{run}: is a comparison; give `gossip compare` the same --out again, which writes "
                f"its {PAGE} without doing anything anew, or name its runs, if they were --real"
            )
    try:
        write_run_page(request.runs, to)
        if request.tensorboard is not None:
            for run, label in zip(request.runs, run_labels(request.runs), strict=True):
                export(read_run(run, label), request.tensorboard / label.strip("/"))
    except UnreadableRun as error:
        raise InvalidCommand(str(error)) from error
    except OSError as error:
        raise InvalidCommand(
            f"{error.filename or to}: {error.strerror}; name a place you can write to"
        ) from error
    sys.stdout.write(f"{to}\n")
    return OK


def leave_run_page(run: Path, to: Console) -> None:
    """Write the page of a run that has ended into its folder, if that can be done.

    A run that was over before anything happened leaves none.
    """
    if not (run / EVENTS).stat().st_size:
        return
    with _best_effort(to, run / PAGE):
        write_run_page([run], run / PAGE)


def leave_comparison_page(report_: Report, folder: Path, to: Console) -> None:
    """Write the page of a comparison into its folder, if that can be done."""
    with _best_effort(to, folder / PAGE):
        write_comparison_page(report_, folder / PAGE)


@contextmanager
def _best_effort(to: Console, page: Path) -> Iterator[None]:
    """Say where the page is or why there is none: the result of a run does not hang on it."""
    try:
        yield
        text = f"report: {page}"
    except Exception as error:  # noqa: BLE001 - whatever it is, the run is over and counts
        said = str(error) or type(error).__name__
        text = f"warning: {page} was not written: {said}"
    to.print(text, markup=False, highlight=False, soft_wrap=True)


def _place(runs: Sequence[Path]) -> Path:
    """Return where the page goes: into the run's folder, or here where it is about several."""
    return runs[0] / PAGE if len(runs) == 1 else runs[0].parent / PAGE
