"""The commands and options of `gossip`. Holds no logic: each command calls its own module.

Those modules are imported by the command that needs them, so that help and validation are quick.
"""

from importlib import metadata
from pathlib import Path
from typing import Annotated, Literal

import typer

from gossip_trainer.cli.errors import guarded

app = typer.Typer(
    name="gossip",
    help="Train one neural network on many workers that exchange their models by gossip.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Job = Annotated[Path, typer.Argument(metavar="JOB", help="Job file (YAML).", show_default=False)]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change a value of the job, such as training.batchSize=64; may be repeated.",
        show_default=False,
    ),
]
Format = Annotated[Literal["text", "json"], typer.Option("--format", help="What to print.")]
Debug = Annotated[bool, typer.Option("--debug", help="Print the traceback of an error.")]


def _print_version(value: bool) -> None:  # noqa: FBT001 - called by typer
    if value:
        typer.echo(f"gossip {metadata.version('gossip-training')}")
        raise typer.Exit


@app.callback()
def gossip(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    """Train one neural network on many workers that exchange their models by gossip."""


@app.command("run")
def run_command(  # noqa: PLR0913 - one parameter per option of the command
    job: Job,
    *,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Number of workers instead of the job's.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Run directory; by default runs/<job name>, numbered if taken."),
    ] = None,
    overrides: Overrides = None,
    tls: Annotated[
        Path | None,
        typer.Option(help="Folder with tls.crt, tls.key and ca.crt: exchange over mutual TLS."),
    ] = None,
    replace_lost: Annotated[
        bool, typer.Option("--replace-lost", help="Start a new worker for one that was lost.")
    ] = False,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Torch threads per worker; by default cores/workers.")
    ] = None,
    no_shared_memory: Annotated[
        bool,
        typer.Option(
            "--no-shared-memory", help="Exchange models over TCP only, as between machines."
        ),
    ] = False,
    output: Format = "text",
    debug: Debug = False,
) -> None:
    """Train a job on this machine, one process per worker."""

    def command() -> int:
        from gossip_trainer.cli.run import RunRequest, run  # noqa: PLC0415 - see the docstring

        request = RunRequest(
            path=job,
            workers=workers,
            out=out,
            overrides=overrides or (),
            tls=tls,
            replace_lost=replace_lost,
            threads=threads,
            shared_memory=not no_shared_memory,
            output=output,
        )
        return run(request)

    raise typer.Exit(guarded(command, debug=debug))


@app.command("simulate")
def simulate_command(
    job: Job,
    *,
    workers: Annotated[
        str | None,
        typer.Option(
            metavar="N,N,...",
            help="Numbers of workers to simulate, each for itself, instead of the job's.",
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, max=1000, help="How many seeds, from the job's upwards.")
    ] = 1,
    overrides: Overrides = None,
    out: Annotated[Path | None, typer.Option(help="Directory to write results.json into.")] = None,
    output: Format = "text",
    debug: Debug = False,
) -> None:
    """Train a job in virtual time: many workers on one machine."""

    def command() -> int:
        from gossip_trainer.cli.simulate import (  # noqa: PLC0415 - see the docstring
            SimulateRequest,
            run_simulations,
        )

        request = SimulateRequest(
            path=job,
            workers=workers,
            seeds=seeds,
            out=out,
            overrides=overrides or (),
            output=output,
        )
        return run_simulations(request)

    raise typer.Exit(guarded(command, debug=debug))


@app.command("validate")
def validate_command(
    job: Job, *, overrides: Overrides = None, output: Format = "text", debug: Debug = False
) -> None:
    """Check a job file and say all that is wrong with it."""

    def command() -> int:
        from gossip_trainer.cli.validate import validate  # noqa: PLC0415 - see the docstring

        return validate(job, overrides or (), output)

    raise typer.Exit(guarded(command, debug=debug))


def main() -> None:
    """Run the command line; the entry point of the package."""
    app(prog_name="gossip")
