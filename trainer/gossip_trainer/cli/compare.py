"""`gossip compare`: which strategy to take at which number of workers."""

from __future__ import annotations

import functools
import math
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from gossip_api.loading import load_job
from gossip_trainer.cli.counts import parse_counts
from gossip_trainer.cli.errors import FAILED, INTERRUPTED, OK, UNREACHED, InvalidCommand
from gossip_trainer.cli.job import tell_what_is_simulated
from gossip_trainer.cli.report import leave_comparison_page
from gossip_trainer.cli.run_directory import choose_run_directory
from gossip_trainer.compare.contestants import parse_contestants
from gossip_trainer.compare.errors import InvalidComparison
from gossip_trainer.compare.files import as_json, write_tables
from gossip_trainer.compare.plan import Grid, plan
from gossip_trainer.compare.pool import one_by_one, side_by_side
from gossip_trainer.compare.real import run_cell
from gossip_trainer.compare.report import make_report
from gossip_trainer.compare.simulated import simulate_cell
from gossip_trainer.compare.store import CELLS, Store
from gossip_trainer.compare.sweep import Watching, sweep, unfinished
from gossip_trainer.compare.table import report_table
from gossip_trainer.errors import RunError
from gossip_trainer.simulation.simulator import check
from gossip_trainer.simulation.sweep import available_processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from gossip_api.job import GossipTrainingJob
    from gossip_trainer.compare.plan import Cell
    from gossip_trainer.compare.records import Finding
    from gossip_trainer.compare.report import Report
    from gossip_trainer.compare.sweep import CarryOut

PIPED_WIDTH = 140
MAX_WORKERS_PER_CORE = 8  # of real runs: each is a process with a torch of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareRequest:
    """What the command line of `gossip compare` asks for; the options' help says what each is."""

    path: Path
    strategies: str
    workers: str | None = None
    learning_rates: str | None = None
    seeds: int = 3
    fixed_total_batch: bool = False
    target: str | None = None
    overrides: Sequence[str] = ()
    out: Path | None = None
    real: bool = False
    processes: int | None = None
    output: Literal["text", "json"] = "text"


def compare(request: CompareRequest) -> int:
    """Carry out all cells, judge and report; return the exit code.

    Progress goes to stderr, the result to stdout.
    """
    try:
        return _compare(request)
    except InvalidComparison as error:
        raise InvalidCommand(str(error)) from error


def _compare(request: CompareRequest) -> int:
    cells = plan(functools.partial(_load, request), _grid(request))
    progress = Console(stderr=True)
    _check(cells, progress)
    if not request.real:
        tell_what_is_simulated(cells[0].job, progress)
    out = _directory(request, cells[0].job.metadata.name)
    store = Store(out) if out else None
    known = store.found if store else {}
    _tell_known(cells, known, out, progress)
    # The user's own modules lie where the command is given, as with `gossip run`.
    sys.path.insert(0, str(Path.cwd()))
    try:
        with _bar(progress) as show:
            watching = Watching(show, functools.partial(_tell_failure, progress))
            keep = store.keep if store else _forget
            found = sweep(cells, dict(known), _carry_out(request, out), keep, watching)
    except KeyboardInterrupt:
        _tell_interrupted(cells, store, progress)
        return INTERRUPTED
    report = make_report(cells, found)
    if out is not None:
        _write(report, out)
        leave_comparison_page(report, out, progress)
    _show(report, request.output)
    if all(outcome.finding is None for outcome in report.outcomes):
        return FAILED
    return OK if report.is_reached else UNREACHED


def _load(request: CompareRequest, changes: Sequence[str]) -> GossipTrainingJob:
    return load_job(request.path, [*request.overrides, *changes])


def _grid(request: CompareRequest) -> Grid:
    return Grid(
        contestants=parse_contestants(request.strategies),
        workers=tuple(sorted(set(parse_counts(request.workers))))
        if request.workers is not None
        else (),
        learning_rates=_rates(request.learning_rates),
        seeds=request.seeds,
        fixed_total_batch=request.fixed_total_batch,
        target=_target(request.target),
        mode="real" if request.real else "simulated",
    )


def _rates(text: str | None) -> tuple[float, ...]:
    """Read learning rates with commas between them, each once and in ascending order."""
    if text is None:
        return ()
    try:
        rates = [float(part) for part in text.split(",")]
    except ValueError:
        rates = []
    if not rates or not all(0 < rate < math.inf for rate in rates):
        raise InvalidCommand(f"--learning-rates {text}: must be numbers above 0, such as 0.05,0.1")
    return tuple(sorted(set(rates)))


def _target(text: str | None) -> tuple[str, float] | None:
    if text is None:
        return None
    metric, _, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if metric not in {"accuracy", "loss"} or not 0 < number < math.inf:
        raise InvalidCommand(
            f"--target {text}: must be accuracy=VALUE or loss=VALUE, such as accuracy=0.9"
        )
    return metric, number


def _check(cells: Sequence[Cell], progress: Console) -> None:
    """Refuse what cannot be carried out before anything is."""
    cores = available_processes()
    for cell in cells:
        if cell.mode == "simulated":
            try:
                check(cell.job)
            except RunError as error:
                raise InvalidCommand(f"{cell.name}: {error}") from error
        elif cell.workers > MAX_WORKERS_PER_CORE * cores:
            raise InvalidCommand(
                f"--real with {cell.workers} workers: each is a process, and this machine has "
                f"{cores} cores; take at most {MAX_WORKERS_PER_CORE * cores}, or leave --real out"
            )
    most = max(cell.workers for cell in cells)
    if cells[0].mode == "real" and most > cores:
        _say(
            progress,
            f"warning: {most} workers share {cores} cores; the times tell of this machine, not of "
            f"{most} machines",
        )


def _directory(request: CompareRequest, job: str) -> Path | None:
    """Return where to write: a comparison that is to be resumed, or a directory without files."""
    out = request.out
    if out is None and not request.real:
        return None
    if out is not None and (out / CELLS).is_file():
        return out
    return choose_run_directory(out, f"{job}-comparison")


def _carry_out(request: CompareRequest, out: Path | None) -> CarryOut:
    processes = request.processes or available_processes()
    if request.real:
        assert out is not None, "a real comparison has a directory"
        return functools.partial(one_by_one, functools.partial(run_cell, out))
    if processes == 1:
        return functools.partial(one_by_one, simulate_cell)
    return functools.partial(side_by_side, simulate_cell, processes)


def _write(report: Report, out: Path) -> None:
    # matplotlib takes half a second to import; what does not draw should not pay for it.
    from gossip_trainer.compare.plots import draw_all  # noqa: PLC0415

    write_tables(report, out)
    draw_all(report, out)


def _show(report: Report, output: Literal["text", "json"]) -> None:
    if output == "json":
        sys.stdout.buffer.write(as_json(report))
        return
    width = None if sys.stdout.isatty() else PIPED_WIDTH
    Console(highlight=False, width=width).print(report_table(report))


def _tell_known(
    cells: Sequence[Cell], known: Mapping[str, Finding], out: Path | None, to: Console
) -> None:
    if not known:
        return
    ours = {cell.key for cell in cells}
    text = f"{out}: {len(ours.intersection(known))} of {len(ours)} cells are there already"
    if others := len(set(known) - ours):
        text += f"; {others} more are of another job, grid or target and do not count"
    _say(to, text)


def _tell_failure(to: Console, cell: Cell, reason: str) -> None:
    _say(to, f"failed: {cell.name}: {reason}")


def _tell_interrupted(cells: Sequence[Cell], store: Store | None, to: Console) -> None:
    if store is None:
        _say(to, "interrupted; with --out what is done would be kept")
        return
    left, all_ = len(unfinished(cells, store.found)), len({cell.key for cell in cells})
    _say(to, f"interrupted; {all_ - left} of {all_} cells are kept, the same command goes on")


def _forget(_finding: Finding) -> None:
    """Keep nothing: there is no directory."""


def _say(to: Console, text: str) -> None:
    to.print(text, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _bar(console: Console) -> Iterator[Callable[[float], None]]:
    """Show a bar with the time left, if there is a terminal."""
    bar = Progress(
        TextColumn("comparing"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task("comparing", total=1.0)
        yield lambda fraction: bar.update(task, completed=fraction)
