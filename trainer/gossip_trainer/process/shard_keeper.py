"""A server's part on its own disk, for a process that is restarted in the same pod.

Every few seconds the part is written if it has changed: aside, synced and renamed, with a digest.
The optimizer's state is not kept: a successor begins with an empty one, wherever its part is from.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from xxhash import xxh3_64_hexdigest

from gossip_trainer.replica.memory import memory_of
from gossip_trainer.transport.wire import SnapshotHeader

log: Final = logging.getLogger(__name__)

KEEP_SECONDS: Final = 10.0
FRESH_SECONDS: Final = 60.0  # an older part is worth less than the mean of the workers' models
CLOSE_SECONDS: Final = 5.0
PART: Final = "part"


class Pin(Protocol):
    """A hold on a copy of the part."""

    @property
    def header(self) -> SnapshotHeader:
        """What is said about it; its step is the part's version."""
        ...

    @property
    def vector(self) -> Tensor:
        """The copy."""
        ...

    def release(self) -> None:
        """Let go."""
        ...


@dataclass(frozen=True, slots=True)
class Kept:
    """A part as it was found on the disk; `at` is in seconds since the epoch."""

    vector: Tensor
    version: int
    at: float


def keep(path: Path, job: str, vector: Tensor, version: int, at: float) -> None:
    """Write a part; `path` never holds half of one."""
    facts = {"job": job, "version": version, "at": at, "digest": _digest(vector)}
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    save_file({PART: vector.contiguous()}, aside, metadata={"facts": json.dumps(facts)})
    with aside.open("rb") as file:
        os.fsync(file.fileno())
    aside.replace(path)


def find_kept(path: Path, job: str, size: int, dtype: torch.dtype) -> Kept | None:
    """Return the part that was kept here; None if there is none, or it is damaged or another's."""
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {})["facts"])
            vector = file.get_tensor(PART)
        kept = Kept(vector, int(facts["version"]), float(facts["at"]))
        is_ours = facts["job"] == job and facts["digest"] == _digest(vector)
    except FileNotFoundError:
        return None
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        log.warning("%s is damaged and not used: %s: %s", path, type(error).__name__, error)
        return None
    if not is_ours or (vector.shape, vector.dtype) != ((size,), dtype):
        log.warning("%s is not this server's part and not used", path)
        return None
    return kept


class ShardKeeper:
    """Keeps a part in a thread of its own.

    Args:
        path: the file.
        job: the job's uid.
        pin: holds a copy of the part; None before there is one.

    """

    def __init__(
        self,
        path: Path,
        job: str,
        pin: Callable[[], Pin | None],
        *,
        every: float = KEEP_SECONDS,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._job = job
        self._pin = pin
        self._every = every
        self._wall_clock = wall_clock
        self._kept_version = 0  # that of a part that nobody has changed yet
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="keeper", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Keep no more."""
        self._closed.set()
        self._thread.join(CLOSE_SECONDS)

    def _serve(self) -> None:
        while not self._closed.wait(self._every):
            try:
                self._keep()
            except (OSError, SafetensorError) as error:
                # What was kept before stays; the next time may go well.
                log.warning("the part cannot be kept in %s: %s", self._path, error)

    def _keep(self) -> None:
        pin = self._pin()
        if pin is None:
            return
        try:
            version = pin.header.step
            if version != self._kept_version:
                keep(self._path, self._job, pin.vector, version, self._wall_clock())
                self._kept_version = version
        finally:
            pin.release()


def _digest(vector: Tensor) -> str:
    return xxh3_64_hexdigest(memory_of(vector))
