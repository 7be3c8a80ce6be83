"""Checkpoints in a bucket.

An object appears whole or not at all, but a folder of objects does not: a checkpoint is there once
its manifest is, which is put last and deleted first.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import obstore

from gossip_trainer.checkpoint.files import MANIFEST, TENSORS
from gossip_trainer.checkpoint.objects import PART_BYTES, as_os_errors, download, open_bucket
from gossip_trainer.checkpoint.place import name_of, step_of

NUM_PARTS: Final = 4  # under way at a time: what an upload holds in memory


class BucketPlace:
    """The checkpoints of one process below a bucket's URL."""

    def __init__(self, root: str, member: str) -> None:
        self.where = f"{root.rstrip('/')}/{member}"
        self._objects = open_bucket(self.where)

    def steps(self) -> Mapping[int, bool]:
        """Return the steps of which there is any object, and whether the manifest is among them."""
        steps: dict[int, bool] = {}
        with as_os_errors():
            for objects in obstore.list(self._objects):
                for each in objects:
                    folder, _, name = each["path"].rpartition("/")
                    if (step := step_of(folder)) is not None:
                        steps[step] = steps.get(step, False) or name == MANIFEST
        return steps

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give an empty folder on this machine."""
        with tempfile.TemporaryDirectory(prefix="gossip-checkpoint-") as folder:
            yield Path(folder)

    def publish(self, folder: Path, step: int) -> None:
        """Upload the tensors, then the manifest."""
        with as_os_errors():
            for name in (TENSORS, MANIFEST):
                obstore.put(
                    self._objects,
                    f"{name_of(step)}/{name}",
                    folder / name,
                    chunk_size=PART_BYTES,
                    max_concurrency=NUM_PARTS,
                )

    @contextmanager
    def fetch(self, step: int) -> Iterator[Path]:
        """Give a folder with the objects that there are, as files."""
        with self.scratch() as folder:
            for name in (MANIFEST, TENSORS):
                download(self._objects, f"{name_of(step)}/{name}", folder / name)
            yield folder

    def remove(self, step: int) -> None:
        """Delete the manifest, then the rest."""
        with as_os_errors():
            for name in (MANIFEST, TENSORS):
                try:
                    obstore.delete(self._objects, f"{name_of(step)}/{name}")
                except FileNotFoundError:  # not every bucket says so
                    continue
