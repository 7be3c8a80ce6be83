"""The checkpoints of one process: saved whole or not at all, verified when they are read.

Every process has a folder of its own below the job's, with one folder per step in it. Processes
share nothing, so that any number of them save at the same time.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from safetensors import SafetensorError

from gossip_trainer.checkpoint.bucket import BucketPlace
from gossip_trainer.checkpoint.files import (
    Checkpoint,
    DamagedCheckpoint,
    read_checkpoint,
    write_checkpoint,
)
from gossip_trainer.checkpoint.objects import is_bucket
from gossip_trainer.checkpoint.place import FolderPlace, Place, name_of
from gossip_trainer.errors import CheckpointError

__all__ = ["Checkpoint", "CheckpointStore"]

log: Final = logging.getLogger(__name__)


class CheckpointStore:
    """The newest checkpoints of one process.

    Args:
        root: the job's folder, as a path or a bucket's URL, `s3://` or `gs://`.
        member: names the process's own folder in it.
        keep: how many stay.

    Raises:
        CheckpointError: the URL makes no sense.

    """

    def __init__(self, root: str | Path, member: str, keep: int) -> None:
        self._place = _place_of(str(root), member)
        self._keep = keep

    def save(self, checkpoint: Checkpoint) -> str:
        """Save a checkpoint, and remove those that are no longer to be kept.

        Checkpoints of later steps go too: they belong to a past that the process did not go on
        from.

        Returns:
            Where it lies.

        Raises:
            CheckpointError: it could not be saved, and nothing appeared; or the others could not be
                removed.

        """
        place, step = self._place, checkpoint.step
        where = f"{place.where}/{name_of(step)}"
        with _translated(f"{where}: cannot be saved"), place.scratch() as folder:
            write_checkpoint(checkpoint, folder)
            if step in place.steps():
                place.remove(step)
            place.publish(folder, step)
        with _translated(f"{where}: is saved, but those before it cannot be removed"):
            for other in superfluous(place.steps(), step, self._keep):
                place.remove(other)
        return where

    def newest(self) -> Checkpoint | None:
        """Return the newest checkpoint that is whole; None if there is none.

        Damaged ones are warned about and passed over.

        Raises:
            CheckpointError: the storage does not answer, which says nothing about what is there.

        """
        place = self._place
        with _translated(f"{place.where}: cannot be read"):
            steps = sorted(place.steps(), reverse=True)
        for step in steps:
            where = f"{place.where}/{name_of(step)}"
            try:
                with _translated(f"{where}: cannot be read"), place.fetch(step) as folder:
                    checkpoint = read_checkpoint(folder)
                if checkpoint.step == step:
                    return checkpoint
                log.warning("%s: is passed over: it is of step %d", where, checkpoint.step)
            except DamagedCheckpoint as damage:
                log.warning("%s: is passed over: %s", where, damage)
        return None

    def is_empty(self) -> bool:
        """Tell whether nothing was ever saved whole here; what is there may yet be damaged.

        Raises:
            CheckpointError: the storage does not answer.

        """
        with _translated(f"{self._place.where}: cannot be read"):
            return not any(self._place.steps().values())


def superfluous(found: Mapping[int, bool], step: int, keep: int) -> list[int]:
    """Return which steps are to be removed once `step` is saved, the oldest first.

    They are the later ones, those without a manifest, and all but the newest `keep`.
    """
    whole = sorted(other for other, is_whole in found.items() if is_whole and other <= step)
    return sorted(found.keys() - set(whole[-keep:]))


def _place_of(root: str, member: str) -> Place:
    return BucketPlace(root, member) if is_bucket(root) else FolderPlace(Path(root) / member)


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{what}: {error}") from error
