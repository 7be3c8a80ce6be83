"""Leaves a process's last words where Kubernetes reads them as the termination message."""

import logging
import os
from pathlib import Path
from typing import Final

from gossip_api.process import LAST_WORDS_LIMIT, LastWords

log: Final = logging.getLogger(__name__)


def leave_last_words(path: Path | None, words: LastWords) -> None:
    """Write them, if they are asked for.

    The file is there already, mounted by the kubelet: it can be overwritten, not replaced.
    """
    if path is None:
        return
    message = _fitting(words)
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            os.write(file, message)
        finally:
            os.close(file)
    except OSError as error:
        # The exit code tells the worst of it, and the process must end with that one.
        log.warning("the last words %s cannot be left: %s", message.decode(), error)


def _fitting(words: LastWords) -> bytes:
    """Return the message; a reason of many wide characters is cut until it fits."""
    reason = words.reason or ""
    while len(message := words.to_message().encode()) > LAST_WORDS_LIMIT:
        reason = reason[: len(reason) // 2]
        words = words.model_copy(update={"reason": reason})
    return message
