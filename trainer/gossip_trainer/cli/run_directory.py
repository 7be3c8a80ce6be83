"""Chooses the directory of a run; a finished run is never written over."""

from __future__ import annotations

import itertools
from pathlib import Path

from gossip_trainer.cli.errors import InvalidCommand

RUNS = Path("runs")


def choose_run_directory(wanted: Path | None, job_name: str) -> Path:
    """Return a directory that is absent or empty: `wanted`, or else one under `runs/`.

    It is made. Raises InvalidCommand if `wanted` holds something already or cannot be made.
    """
    path = _choose(wanted, job_name)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidCommand(
            f"run directory {path}: {error.strerror}; name a folder you can write to with --out"
        ) from error
    return path


def _choose(wanted: Path | None, job_name: str) -> Path:
    if wanted is None:
        numbered = (RUNS / f"{job_name}-{number}" for number in itertools.count(2))
        return next(path for path in itertools.chain([RUNS / job_name], numbered) if _free(path))
    if not _free(wanted):
        raise InvalidCommand(
            f"--out {wanted}: exists and is not an empty directory; name another one, remove it, "
            f"or leave --out away to have {RUNS / job_name} or the next free number"
        )
    return wanted


def _free(path: Path) -> bool:
    try:
        return not path.exists() or (path.is_dir() and not any(path.iterdir()))
    except OSError as error:
        raise InvalidCommand(f"run directory {path}: {error.strerror}") from error
