"""The command line `gossip`: its commands, in the order in which its help shows them."""

from importlib import metadata
from typing import Annotated

import typer

from gossip_trainer.cli.job_commands import (
    calibrate_command,
    compare_command,
    run_command,
    simulate_command,
    topology_command,
    validate_command,
)
from gossip_trainer.cli.run_commands import (
    export_command,
    replay_command,
    report_command,
)

app = typer.Typer(
    name="gossip",
    help="Train one neural network on many workers that exchange their models by gossip.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


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


app.command("run")(run_command)
app.command("simulate")(simulate_command)
app.command("report")(report_command)
app.command("export")(export_command)
app.command("replay")(replay_command)
app.command("compare")(compare_command)
app.command("calibrate")(calibrate_command)
app.command("topology")(topology_command)
app.command("validate")(validate_command)


def main() -> None:
    """Run the command line; the entry point of the package."""
    app(prog_name="gossip")
