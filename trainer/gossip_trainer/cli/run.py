"""`gossip run`: train a job on this machine, show it, and leave a report behind."""

from __future__ import annotations

import sys
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from gossip_api.names import JOB_FILE
from gossip_trainer.cli.errors import FAILED, INTERRUPTED, OK, InvalidCommand
from gossip_trainer.cli.job import load
from gossip_trainer.cli.report import leave_run_page
from gossip_trainer.cli.run_directory import choose_run_directory
from gossip_trainer.launch.display import OutputFormat, make_display
from gossip_trainer.launch.local_run import RunOptions, run_locally
from gossip_trainer.launch.resumption import check_resumable, check_unfinished
from gossip_trainer.report.files import write_report
from gossip_trainer.report.summary import Summary, as_json
from gossip_trainer.report.table import final_table
from gossip_trainer.transport.errors import CredentialsError
from gossip_trainer.transport.security import load_credentials

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gossip_api.job import GossipTrainingJob
    from gossip_trainer.launch.run_metrics import RunMetrics
    from gossip_trainer.observability.events import Record

EXIT_CODES = {"succeeded": OK, "failed": FAILED, "interrupted": INTERRUPTED}


PIPED_WIDTH = 120  # wide enough for paths; rich assumes 80 where there is no terminal


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What the command line of `gossip run` asks for; the options' help says what each means."""

    path: Path
    workers: int | None = None
    out: Path | None = None
    overrides: Sequence[str] = ()
    tls: Path | None = None
    replace_lost: bool = False
    threads: int | None = None
    shared_memory: bool = True
    trace: bool = False
    metrics_port: int | None = None
    resume: bool = False
    output: OutputFormat = "text"


def run(request: RunRequest) -> int:
    """Train the job and report; return the exit code.

    Progress goes to stderr, the result to stdout, so that the result can be piped.
    """
    job = load(_job_file(request), request.overrides, workers=request.workers)
    if request.tls is not None:
        _check_credentials(request.tls)
    if request.resume:
        out = request.path
        check_resumable(job, out)
        if not request.overrides:
            check_unfinished(out)
    else:
        out = choose_run_directory(request.out, job.metadata.name)
    # The user's own modules lie where the command is given, as with `python -m`; the processes of
    # the run inherit the path.
    sys.path.insert(0, str(Path.cwd()))
    progress = Console(stderr=True)
    progress.print(f"run directory: {out}", markup=False, highlight=False, soft_wrap=True)
    options = RunOptions(
        out=out,
        tls=request.tls,
        replace_lost=request.replace_lost,
        threads=request.threads,
        shared_memory=request.shared_memory,
        trace=request.trace,
        metrics=request.metrics_port is not None,
        resume=request.resume,
    )
    with _metrics(job, out, request.metrics_port) as metrics:
        if metrics is not None:
            progress.print(f"metrics: {metrics.address}", markup=False, highlight=False)
        with make_display(job, output=request.output, console=progress) as display:

            def watch(records: list[Record]) -> None:
                if metrics is not None:
                    metrics.note(records)
                display.update(records)

            outcome = run_locally(job, options, watch)
        if metrics is not None:
            metrics.conclude(outcome.state)
    summary = write_report(out, job, state=outcome.state, reason=outcome.reason)
    leave_run_page(out, progress)
    _show(summary, out, request.output)
    return EXIT_CODES[summary.outcome]


def _job_file(request: RunRequest) -> Path:
    """Return the job file: of a run that is resumed the one that it left."""
    if not request.resume:
        return request.path
    if request.out is not None:
        raise InvalidCommand("--out and --resume exclude each other; a resumed run stays in place")
    path = request.path / JOB_FILE
    if not path.is_file():
        raise InvalidCommand(
            f"{request.path} is no run directory, for it has no {JOB_FILE}; with --resume name "
            "one, such as runs/digits"
        )
    return path


@contextmanager
def _metrics(job: GossipTrainingJob, out: Path, port: int | None) -> Iterator[RunMetrics | None]:
    """Serve the run's metrics, if they are asked for."""
    if port is None:
        yield None
        return
    from gossip_trainer.launch.run_metrics import RunMetrics  # noqa: PLC0415 - only where asked for

    try:
        metrics = RunMetrics(job, out, port)
    except OSError as error:
        raise InvalidCommand(
            f"--metrics-port {port}: {error.strerror}; choose another, or 0 for any that is free"
        ) from error
    with closing(metrics):
        yield metrics


def _check_credentials(folder: Path) -> None:
    try:
        load_credentials(folder)
    except CredentialsError as error:
        raise InvalidCommand(f"--tls {folder}: {error}") from error


def _show(summary: Summary, out: Path, output: OutputFormat) -> None:
    if output == "json":
        sys.stdout.buffer.write(as_json(summary))
    elif summary.outcome != "failed":
        width = None if sys.stdout.isatty() else PIPED_WIDTH
        Console(highlight=False, width=width).print(final_table(summary, str(out)))
    if summary.outcome == "failed":
        sys.stderr.write(f"error: the run failed: {summary.reason} (its files: {out})\n")
