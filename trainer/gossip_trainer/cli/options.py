"""Arguments and options that several commands of `gossip` have."""

from pathlib import Path
from typing import Annotated, Literal

import typer

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
