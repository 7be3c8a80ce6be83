"""The operator's command line: `run` in a cluster, `render` without one.

Every option of `run` can also be set by an environment variable, `GOSSIP_OPERATOR_<OPTION>`; the
command line wins.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gossip_operator import render
from gossip_operator.shell.settings import LeaseSettings, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PREFIX: Final = "GOSSIP_OPERATOR_"
_NAMESPACE_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_LOG_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m gossip_operator",
        description="The operator of GossipTrainingJobs: trains them on Kubernetes.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands.add_parser("run", help="run the operator"), os.environ)
    rendering = commands.add_parser("render", help="print the objects that a job would get")
    render.add_arguments(rendering)
    rendering.set_defaults(command=render.run)
    options = parser.parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    return command(options)


def settings_from(options: argparse.Namespace) -> Settings:
    """Make settings of the options of `run`."""
    lease = None
    if options.leader_election:
        namespace = options.lease_namespace or _own_namespace()
        lease = LeaseSettings(namespace=namespace, name=options.lease_name)
    return Settings(
        default_image=options.default_image,
        namespaces=tuple(filter(None, options.namespaces.split(","))),
        kubeconfig=options.kubeconfig,
        lease=lease,
        reconcilers=options.reconcilers,
        requests_per_second=options.qps,
        request_burst=options.burst,
        relist_seconds=options.relist_seconds,
        health_address=options.health_address,
    )


def _add_run(parser: argparse.ArgumentParser, environ: Mapping[str, str]) -> None:
    def add(name: str, read: Callable[[str], object], default: object, text: str) -> None:
        variable = PREFIX + name.upper().replace("-", "_")
        parser.add_argument(
            f"--{name}",
            type=read,
            # A string default goes through `type` like a given option, with the same errors.
            default=environ.get(variable, default),
            metavar="VALUE",
            help=f"{text} [{variable}; {default if default not in {'', None} else 'none'}]",
        )

    add("namespaces", str, "", "comma-separated namespaces to serve; all where left out")
    add("kubeconfig", Path, None, "file to log in with; by default the pod's account")
    add("default-image", str, None, "trainer image where a template names none")
    add("reconcilers", _positive, 8, "jobs that are worked on at a time")
    add("qps", _rate, 50.0, "requests to the API server per second in the long run")
    add("burst", _positive, 100, "requests that may be made at once")
    add("relist-seconds", _rate, 120.0, "about how often everything is listed again")
    add("health-address", _address, "0.0.0.0:8080", "where to serve health and metrics")
    add("lease-namespace", str, "", "namespace of the Lease; the operator's own by default")
    add("lease-name", str, "gossip-operator", "name of the Lease")
    add("log-level", _log_level, "info", "debug, info, warning or error")
    parser.add_argument(
        "--leader-election",
        action=argparse.BooleanOptionalAction,
        default=environ.get(f"{PREFIX}LEADER_ELECTION", "true") != "false",
        help=f"let replicas agree on one that acts [{PREFIX}LEADER_ELECTION; true]",
    )
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    from gossip_operator.shell import app  # noqa: PLC0415 - `render` needs neither kopf nor this

    logging.basicConfig(level=options.log_level, format=_LOG_FORMAT)
    try:
        asyncio.run(app.run(settings_from(options)))
    except Exception:
        logging.getLogger(__name__).exception("the operator ends")
        return 1
    return 0


def _own_namespace() -> str:
    """Return the namespace of the pod that the operator runs in; `default` outside of one."""
    try:
        return _NAMESPACE_FILE.read_text(encoding="ascii").strip()
    except OSError:
        return "default"


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"got {text!r}; must be a whole number, 1 or more")
    return int(text)


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"got {text!r}; must be a number above 0")
    return value


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not (host and port.isascii() and port.isdigit() and int(port) <= 65535):
        raise argparse.ArgumentTypeError(f"got {text!r}; must be host:port, like 0.0.0.0:8080")
    return text


def _log_level(text: str) -> str:
    levels = ("debug", "info", "warning", "error")
    if text not in levels:
        raise argparse.ArgumentTypeError(f"got {text!r}; must be one of {', '.join(levels)}")
    return text.upper()
