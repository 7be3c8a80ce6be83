"""A run's folder belongs to one run at a time."""

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gossip_trainer.errors import RunError

log: Final = logging.getLogger(__name__)

LOCK: Final = ".lock"


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Keep others from running in `folder`, which is made, until the end.

    The kernel lets the claim of a process go that dies. A file system that knows no locks keeps
    nobody away, and the log says so.

    Raises:
        RunError: another run has it.

    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(
                f"{folder} is that of a run that still goes on; wait for its end or interrupt it, "
                "or choose another folder"
            ) from None
        except OSError as error:
            log.warning("%s cannot be locked against a second run: %s", folder, error)
        yield
