"""Becomes a program that ends with the process that started it.

    python tether.py PARENT PROGRAM ARGUMENT...

Linux kills a process at its parent's death where it has asked for that, and what it asked for
outlives an exec. It is asked for here, between the launcher and the program, because a process
that was just forked from one with threads must not run Python. Imports nothing of this package:
each worker waits for it.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
NOT_FOUND = 127  # as shells have it


def main(parent: int, program: list[str]) -> None:
    """Tie this process to `parent`, and become `program`."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        sys.exit("the launcher ended before its worker began")
    try:
        os.execv(program[0], program)  # noqa: S606 - no shell is the point
    except OSError as error:
        print(f"{program[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201 - for the worker's log
        sys.exit(NOT_FOUND)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
