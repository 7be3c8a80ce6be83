"""Runs scripts as a reader would type them, in a folder that looks like the checkout."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from documented_commands import ROOT

# The environment that make sets up belongs to the checkout, not to a folder that looks like it.
MAKE = f'make() {{ command make -C "{ROOT}" "$@"; }}\n'
READERS_OWN = ("my-job.yaml", "job.yaml")
"""Job files that the documents name and the reader has."""


def lay_out(folder: Path) -> None:
    """Make a folder look like the checkout; runs and results stay in it."""
    for entry in ROOT.iterdir():
        if entry.name not in {"runs", "found", ".git"}:
            (folder / entry.name).symlink_to(entry)
    for name in READERS_OWN:
        shutil.copy(ROOT / "manifests/samples/digits.yaml", folder / name)


def run(
    script: str, folder: Path, *, seconds: float, environment: Mapping[str, str] | None = None
) -> tuple[int | None, str]:
    """Return a script's exit code and output; None if it and its children had to be ended."""
    path = f"{ROOT / '.venv/bin'}:{os.environ['PATH']}"
    process = subprocess.Popen(
        ["bash", "-c", MAKE + script],
        cwd=folder,
        env=os.environ | {"PATH": path, "OMP_NUM_THREADS": "1"} | dict(environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        return None, output
    return process.returncode, output
