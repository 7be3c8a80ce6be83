"""The commands of `gossip` about a run that is over: show it, take its model, do it again.

Holds no logic: each command calls its own module, which it imports, so that help is quick.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from gossip_trainer.cli.errors import guarded
from gossip_trainer.cli.options import Debug, Format


def report_command(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Directories of runs.", show_default=False),
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File to write; by default report.html in the run's directory, or beside the "
            "first of several."
        ),
    ] = None,
    tensorboard: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Directory to export the scalars into for TensorBoard."),
    ] = None,
    debug: Debug = False,
) -> None:
    """Write one web page about runs, also those that failed, were killed or go on."""

    def command() -> int:
        from gossip_trainer.cli.report import (  # noqa: PLC0415 - see the docstring
            ReportRequest,
            report,
        )

        return report(ReportRequest(runs=runs, out=out, tensorboard=tensorboard))

    raise typer.Exit(guarded(command, debug=debug))


def export_command(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="Directory of a run, or folder or URL (s3://, gs://) of a job's checkpoints.",
            show_default=False,
        ),
    ],
    *,
    output: Annotated[
        Path | None,
        typer.Option(help="File to write; by default model.safetensors or model.pt."),
    ] = None,
    model_format: Annotated[
        Literal["safetensors", "torch"] | None,
        typer.Option(
            "--format", help="What to write; by default by the file's ending, else safetensors."
        ),
    ] = None,
    best: Annotated[
        bool, typer.Option("--best", help="The best evaluated model instead of the final one.")
    ] = False,
    recalibrate: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Compute batch-norm statistics anew, from so many batches of training data.",
        ),
    ] = None,
    job: Annotated[
        Path | None,
        typer.Option(help="Job file (YAML); by default the one in the run's directory."),
    ] = None,
    debug: Debug = False,
) -> None:
    """Write the model that a job trained into one file, for PyTorch and other programs."""

    def command() -> int:
        from gossip_trainer.cli.export import (  # noqa: PLC0415 - see the docstring
            ExportRequest,
            export,
        )

        request = ExportRequest(
            run=run,
            output=output,
            model_format=model_format,
            best=best,
            recalibrate=recalibrate,
            job=job,
        )
        return export(request)

    raise typer.Exit(guarded(command, debug=debug))


def replay_command(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Directory of a traced run.", show_default=False)
    ],
    *,
    output: Format = "text",
    debug: Debug = False,
) -> None:
    """Do a traced run again in one process and compare every published model to the bit."""

    def command() -> int:
        from gossip_trainer.cli.replay import replay_run  # noqa: PLC0415 - see the docstring

        return replay_run(run, output)

    raise typer.Exit(guarded(command, debug=debug))
