"""`gossip simulate`: what would become of this job, in virtual time."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from gossip_trainer.cli.counts import parse_counts
from gossip_trainer.cli.errors import OK
from gossip_trainer.cli.job import load, tell_what_is_simulated
from gossip_trainer.cli.run_directory import choose_run_directory
from gossip_trainer.simulation.result import to_json
from gossip_trainer.simulation.simulator import check
from gossip_trainer.simulation.sweep import available_processes, sweep
from gossip_trainer.simulation.table import results_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gossip_api.job import GossipTrainingJob

PIPED_WIDTH = 120
RESULTS = "results.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateRequest:
    """What the command line of `gossip simulate` asks for; the options' help says what each is."""

    path: Path
    workers: str | None = None
    seeds: int = 1
    out: Path | None = None
    overrides: Sequence[str] = ()
    output: Literal["text", "json"] = "text"


def run_simulations(request: SimulateRequest) -> int:
    """Simulate every number of workers with every seed and report; return the exit code.

    Progress goes to stderr, the result to stdout.
    """
    jobs = list(_cells(request))
    for job in jobs:
        check(job)
    tell_what_is_simulated(jobs[0], Console(stderr=True))
    out = choose_run_directory(request.out, jobs[0].metadata.name) if request.out else None
    # The user's own modules lie where the command is given, as with `gossip run`.
    sys.path.insert(0, str(Path.cwd()))
    with _progress(jobs) as watch:
        results = sweep(jobs, watch, processes=available_processes())
    document = to_json(results)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / RESULTS).write_bytes(document)
    if request.output == "json":
        sys.stdout.buffer.write(document)
    else:
        width = None if sys.stdout.isatty() else PIPED_WIDTH
        Console(highlight=False, width=width).print(results_table(results))
    return OK


def _cells(request: SimulateRequest) -> Iterator[GossipTrainingJob]:
    """Yield the job of every cell: by number of workers, then by seed."""
    base = load(request.path, request.overrides)
    counts = [None] if request.workers is None else parse_counts(request.workers)
    first = base.spec.training.seed
    for workers in counts:
        for seed in range(first, first + request.seeds):
            overrides = [*request.overrides, f"spec.training.seed={seed}"]
            yield load(request.path, overrides, workers=workers)


@contextmanager
def _progress(jobs: Sequence[GossipTrainingJob]) -> Iterator[Callable[[int, float], None]]:
    """Show a bar with the time left on stderr, if that is a terminal."""
    bar = Progress(
        TextColumn("simulating"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    # Cells differ in size: their steps tell how long each takes.
    sizes = [float(job.spec.workers.replicas) for job in jobs]
    if jobs[0].spec.training.budget.steps_per_worker is None:
        sizes = [1.0] * len(jobs)
    done = [0.0] * len(jobs)
    with bar:
        task = bar.add_task("simulating", total=sum(sizes))

        def watch(index: int, fraction: float) -> None:
            done[index] = fraction
            bar.update(task, completed=sum(s * part for s, part in zip(sizes, done, strict=True)))

        yield watch
