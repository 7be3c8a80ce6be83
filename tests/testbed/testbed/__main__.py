"""`python -m testbed`: beds by hand."""

import argparse
import sys
import time

from testbed import lifecycle, obstacles
from testbed.bed import Bed, Kind
from testbed.build import helm, programs
from testbed.errors import BedError, UnavailableError


def main() -> int:
    arguments = _parser().parse_args()
    try:
        arguments.command(arguments)
    except BedError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m testbed", description="Kubernetes for tests.")
    commands = parser.add_subparsers(required=True)
    build = commands.add_parser(
        "build", help="build the programs, once per state of go/ and go-helm/"
    )
    build.add_argument(
        "--if-possible", action="store_true", help="outside continuous integration, do without"
    )
    build.set_defaults(command=_build)
    up = commands.add_parser("up", help="bring a bed up; tests then use it and leave it up")
    up.add_argument("kind", type=Kind, choices=list(Kind))
    up.set_defaults(command=_up)
    down = commands.add_parser("down", help="take down what `up` or a crash left")
    down.set_defaults(command=_down)
    env = commands.add_parser("env", help="print what a shell needs to use a bed")
    env.set_defaults(command=_env)
    return parser


def _build(arguments: argparse.Namespace) -> None:
    try:
        print(programs())
        print(helm())
    except UnavailableError as error:
        if not arguments.if_possible or obstacles.are_errors():
            raise
        print(f"{error}; the tests that need it are skipped", file=sys.stderr)


def _up(arguments: argparse.Namespace) -> None:
    obstacles.check(arguments.kind)
    start = time.monotonic()
    bed = lifecycle.bring_up(arguments.kind, detached=True)
    print(f"# up after {time.monotonic() - start:.1f} s; logs in {bed.folder / 'log'}")
    print(_exports(bed))


def _down(_: argparse.Namespace) -> None:
    for folder in lifecycle.sweep(detached=True):
        print(f"{folder} is down")


def _env(_: argparse.Namespace) -> None:
    beds = [bed for kind in Kind if (bed := lifecycle.find(kind)) is not None]
    if not beds:
        raise BedError("no bed is up; bring one up with: python -m testbed up control-plane|nodes")
    print("\n".join(map(_exports, beds)))


def _exports(bed: Bed) -> str:
    return f"export KUBECONFIG={bed.kubeconfig} PATH={bed.control_plane.programs}:$PATH"


if __name__ == "__main__":
    sys.exit(main())
