"""Work for the pool's tests; a module that child processes can import by its name alone."""

import os
import signal
import threading


def work(task, watch):
    """Do what the task says."""
    watch(0.5)
    match task:
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            os._exit(7)
        case "wait":
            threading.Event().wait(60)
        case "fail":
            raise OSError("no such\n  file")
    return task * 2
