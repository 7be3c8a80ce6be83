"""The commands and options of `kubectl gossip`. Holds no logic: each command calls its own module.

Those modules are imported by the command that needs them, so that help is quick. Where to ask may
be said before the command or after it, as with kubectl.
"""

import os
import signal
import sys
import threading
from dataclasses import dataclass
from datetime import timedelta
from importlib import metadata
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from gossip_api.duration import parse_duration
from gossip_api.errors import InvalidJob
from gossip_api.names import Role
from gossip_kubectl.errors import INTERRUPTED, INVALID, TROUBLE, InvalidCommand, PluginError
from gossip_kubectl.verdict import Goal

if TYPE_CHECKING:
    from gossip_kubectl.cluster import Cluster

app = typer.Typer(
    name="gossip",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Namespace = Annotated[
    str | None,
    typer.Option("-n", "--namespace", help="Namespace; by default the kubeconfig's."),
]
Context = Annotated[str | None, typer.Option(help="Context of the kubeconfig.")]
Kubeconfig = Annotated[str | None, typer.Option(help="Kubeconfig file.")]
Format = Annotated[Literal["text", "json"], typer.Option("-o", "--format", help="What to print.")]
Timeout = Annotated[
    str, typer.Option(metavar="DURATION", help="How long to wait, such as 90s, 10m or 2d.")
]
JobName = Annotated[str, typer.Argument(metavar="NAME", help="Name of the job.")]

DEFAULT_TIMEOUT = "7d"
INTERRUPT_SECONDS = 2.0
"""How long an interrupted command may take to end."""


@dataclass(frozen=True, slots=True)
class Place:
    """What was said about where to ask; see gossip_kubectl.cluster.Connection."""

    namespace: str | None = None
    context: str | None = None
    kubeconfig: str | None = None


def _print_version(value: bool) -> None:  # noqa: FBT001 - called by typer
    if value:
        typer.echo(f"kubectl gossip {metadata.version('gossip-training')}")
        raise typer.Exit


@app.callback()
def gossip(
    shared: typer.Context,
    *,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    version: Annotated[  # noqa: ARG001 - its callback has done everything
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    """Send training jobs to a cluster, see how they stand, read their logs, wait for them."""
    shared.obj = Place(namespace, context, kubeconfig)


@app.command("submit")
def submit_command(  # noqa: PLR0913 - one parameter per option of the command
    shared: typer.Context,
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Job files (YAML); - is standard input."),
    ],
    *,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PATH=VALUE",
            help="Change a value of the job, such as training.batchSize=64; may be repeated.",
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the job instead of the file's.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the job is complete.")] = False,
    timeout: Timeout = DEFAULT_TIMEOUT,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Have the API server check the job, and keep nothing.")
    ] = False,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> int:
    """Check job files, say all that is wrong with them, and send them if nothing is."""
    from gossip_kubectl.submit import (  # noqa: PLC0415 - see the docstring
        SubmitRequest,
        load_jobs,
        submit,
    )

    place = _place(shared, namespace, context, kubeconfig)
    request = SubmitRequest(
        files=files,
        overrides=overrides or (),
        name=name,
        namespace_given=place.namespace is not None,
        dry_run=dry_run,
        wait=wait,
        timeout=_duration(timeout),
    )
    jobs = load_jobs(request)  # an invalid job needs no cluster
    return submit(_cluster(place), jobs, request)


@app.command("status")
def status_command(
    shared: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Name of the job; by default all.")
    ] = None,
    *,
    watch: Annotated[
        bool, typer.Option("-w", "--watch", help="Go on showing it, until the job is over.")
    ] = False,
    everywhere: Annotated[
        bool, typer.Option("-A", "--all-namespaces", help="The jobs of all namespaces.")
    ] = False,
    output: Format = "text",
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> int:
    """Show all jobs, or all about one: its progress, what is wrong, failures, processes, Events."""
    from gossip_kubectl.status import (  # noqa: PLC0415 - see the docstring
        StatusRequest,
        show_status,
    )

    request = StatusRequest(name, everywhere, watch, output)
    return show_status(_cluster(_place(shared, namespace, context, kubeconfig)), request)


@app.command("logs")
def logs_command(  # noqa: PLR0913 - one parameter per option of the command
    shared: typer.Context,
    name: JobName,
    *,
    role: Annotated[Role | None, typer.Option(help="Only processes of this role.")] = None,
    rank: Annotated[
        int | None, typer.Option(min=0, help="Only the process of this rank or shard.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on until the job is over.")
    ] = False,
    previous: Annotated[
        bool, typer.Option("-p", "--previous", help="Of the container before its last restart.")
    ] = False,
    tail: Annotated[
        int | None,
        typer.Option(
            min=-1,
            help="Last lines of each process, -1 for all; by default all of one process, "
            "20 of each of several.",
        ),
    ] = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> int:
    """Print what the processes of a job say, each line with whose it is."""
    from gossip_kubectl.logs import LogsRequest, show_logs  # noqa: PLC0415 - see the docstring

    request = LogsRequest(name, role, rank, follow, previous, tail)
    return show_logs(_cluster(_place(shared, namespace, context, kubeconfig)), request)


@app.command("wait")
def wait_command(
    shared: typer.Context,
    name: JobName,
    *,
    goal: Annotated[Goal, typer.Option("--for", help="What to wait for.")] = Goal.COMPLETE,
    timeout: Timeout = DEFAULT_TIMEOUT,
    output: Format = "text",
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> int:
    """Wait for a job. The exit code is 0 for success, 2 no such job, 3 failure, 124 a timeout."""
    from gossip_kubectl.wait import WaitRequest, wait  # noqa: PLC0415 - see the docstring

    limit = _duration(timeout)
    cluster = _cluster(_place(shared, namespace, context, kubeconfig))
    return wait(cluster, WaitRequest(cluster.namespace, name, goal, limit, output))


def main() -> None:
    """Run the command line and end with its exit code; the entry point of the package."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    try:
        code = app(prog_name="kubectl gossip", standalone_mode=False)
    except InvalidJob as error:
        message, code = str(error), INVALID
    except PluginError as error:
        message, code = f"error: {error}", error.code
    except typer.TyperException as error:
        message, code = f"{error.format_message()}\nHelp: kubectl gossip [COMMAND] --help", TROUBLE
    else:
        message = ""
    if message:
        sys.stderr.write(f"{message}\n")
    sys.exit(code)


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    """End in good order, and if that is not to be, all the same.

    What is raised while Python finalizes an object is lost, and the command would go on.
    """
    force = threading.Timer(INTERRUPT_SECONDS, os._exit, [INTERRUPTED])
    force.daemon = True
    force.start()
    raise KeyboardInterrupt


def _place(
    shared: typer.Context, namespace: str | None, context: str | None, kubeconfig: str | None
) -> Place:
    """Join what was said before the command and after it, which wins."""
    before: Place = shared.obj
    return Place(
        namespace or before.namespace, context or before.context, kubeconfig or before.kubeconfig
    )


def _cluster(place: Place) -> "Cluster":
    from gossip_kubectl.cluster import Connection, connect  # noqa: PLC0415 - see the docstring

    return connect(Connection(place.kubeconfig, place.context, place.namespace))


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise InvalidCommand(f"--timeout: {error}") from error
