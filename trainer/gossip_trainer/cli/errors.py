"""What the command line answers when something goes wrong: a message and an exit code.

| exit code | meaning |
|---|---|
| 0 | it worked |
| 1 | the run failed |
| 2 | the input is invalid: the job file or the command line |
| 3 | no strategy of a comparison reached the target |
| 130 | interrupted |
"""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING

from gossip_api.errors import InvalidJob
from gossip_trainer.errors import GossipTrainerError

if TYPE_CHECKING:
    from collections.abc import Callable

OK = 0
FAILED = 1
INVALID = 2
UNREACHED = 3
INTERRUPTED = 130


class InvalidCommand(Exception):  # noqa: N818 - it names the command, as `InvalidJob` the job
    """The command line asks for something that cannot be; the text says what to do instead."""


def guarded(command: Callable[[], int], *, debug: bool) -> int:
    """Run `command` and return its exit code; an error becomes a message on stderr and a code."""
    try:
        return command()
    except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 - the process ends here
        if debug:
            traceback.print_exc()
        message, code = explain(error)
        print(message, file=sys.stderr)  # noqa: T201 - the command line talks to people
        return code


def explain(error: BaseException) -> tuple[str, int]:
    """Return what to tell about `error`, and the exit code."""
    match error:
        case InvalidJob():
            return str(error), INVALID
        case InvalidCommand():
            return f"error: {error}", INVALID
        case KeyboardInterrupt():
            return "interrupted", INTERRUPTED
        case GossipTrainerError():
            return f"error: {_one_line(error)}", FAILED
        case _:
            name = type(error).__name__
            hint = "run again with --debug for the traceback"
            return f"error: {name}: {_one_line(error)} ({hint})", FAILED


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or "no message"
