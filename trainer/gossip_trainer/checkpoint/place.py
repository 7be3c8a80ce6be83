"""Where the checkpoints of one process lie: a folder of a file system, or a bucket."""

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, Protocol

from gossip_trainer.checkpoint.files import MANIFEST, sync

_STEP: Final = re.compile(r"step-(\d{12,})")
_ASIDE: Final = ".aside"


class Place(Protocol):
    """Keeps folders of files by step. Raises OSError where its storage fails."""

    @property
    def where(self) -> str:
        """Its path or URL."""
        ...

    def steps(self) -> Mapping[int, bool]:
        """Return the steps of which anything is there, and whether their manifest is."""
        ...

    def scratch(self) -> AbstractContextManager[Path]:
        """Give an empty local folder to write into; it is removed afterwards."""
        ...

    def publish(self, folder: Path, step: int) -> None:
        """Make a scratch folder's files those of `step`, of which nothing is there: whole or not.

        The manifest appears last.
        """
        ...

    def fetch(self, step: int) -> AbstractContextManager[Path]:
        """Give a local folder with the files of a step; they are only read."""
        ...

    def remove(self, step: int) -> None:
        """Remove the files of a step, the manifest first."""
        ...


def name_of(step: int) -> str:
    """Return the name of a step's folder; names sort like steps."""
    return f"step-{step:012d}"


def step_of(name: str) -> int | None:
    """Return the step of a folder's name; None for a name of anything else."""
    match = _STEP.fullmatch(name)
    return int(match[1]) if match else None


class FolderPlace:
    """A folder of a file system, such as a mounted volume."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def where(self) -> str:
        """Its path."""
        return str(self._folder)

    def steps(self) -> Mapping[int, bool]:
        """Return the steps that are there, and whether their manifest is."""
        if not self._folder.is_dir():
            return {}
        found = ((step_of(path.name), path) for path in self._folder.iterdir())
        return {step: (path / MANIFEST).is_file() for step, path in found if step is not None}

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give an empty folder on the same file system, so that it can be renamed.

        What a killed process left there is removed first.
        """
        aside = self._folder / _ASIDE
        if aside.exists():
            shutil.rmtree(aside)
        aside.mkdir(parents=True)
        try:
            yield aside
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def publish(self, folder: Path, step: int) -> None:
        """Rename the scratch folder."""
        folder.rename(self._folder / name_of(step))
        sync(self._folder)

    @contextmanager
    def fetch(self, step: int) -> Iterator[Path]:
        """Give the folder itself."""
        yield self._folder / name_of(step)

    def remove(self, step: int) -> None:
        """Remove the folder of a step, the manifest first."""
        folder = self._folder / name_of(step)
        (folder / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(folder)
