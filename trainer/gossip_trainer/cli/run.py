"""`gossip run`: train a job on this machine, show it, and leave a report behind."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from gossip_trainer.cli.errors import FAILED, INTERRUPTED, OK, InvalidCommand
from gossip_trainer.cli.job import load
from gossip_trainer.cli.run_directory import choose_run_directory
from gossip_trainer.launch.display import OutputFormat, make_display
from gossip_trainer.launch.local_run import RunOptions, run_locally
from gossip_trainer.report.files import write_report
from gossip_trainer.report.summary import Summary, as_json
from gossip_trainer.report.table import final_table
from gossip_trainer.transport.errors import CredentialsError
from gossip_trainer.transport.security import load_credentials

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    output: OutputFormat = "text"


def run(request: RunRequest) -> int:
    """Train the job and report; return the exit code.

    Progress goes to stderr, the result to stdout, so that the result can be piped.
    """
    job = load(request.path, request.overrides, workers=request.workers)
    if request.tls is not None:
        _check_credentials(request.tls)
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
    )
    with make_display(job, output=request.output, console=progress) as display:
        outcome = run_locally(job, options, display.update)
    summary = write_report(out, job, state=outcome.state, reason=outcome.reason)
    _show(summary, out, request.output)
    return EXIT_CODES[summary.outcome]


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
