"""A process that is killed while it saves, before any one of the operations on its storage."""

import os
import shutil

import obstore
import pytest
import torch
from obstore.store import MemoryStore

from gossip_trainer.checkpoint import bucket, files
from gossip_trainer.checkpoint.store import Checkpoint, CheckpointStore

FILES = [(os, name) for name in ("mkdir", "rename", "unlink", "rmdir", "fsync")]
OBJECTS = [(obstore, name) for name in ("put", "delete")]


class Killed(BaseException):
    """The process is gone."""


class Reaper:
    """Kills at the operation of a number, and lets none that follows take place."""

    def __init__(self, monkeypatch, operations) -> None:
        self.left: int | None = None
        for module, name in operations:
            monkeypatch.setattr(module, name, self._watched(getattr(module, name)))

    def _watched(self, operation):
        def watched(*arguments, **options):
            if self.left is not None:
                if self.left == 0:
                    raise Killed
                self.left -= 1
            return operation(*arguments, **options)

        return watched

    def kills(self, store: CheckpointStore, checkpoint: Checkpoint, at: int) -> bool:
        """Save; tell whether it was cut short."""
        self.left = at
        try:
            store.save(checkpoint)
        except Killed:
            return True
        finally:
            self.left = None
        return False


def a_checkpoint(step: int) -> Checkpoint:
    return Checkpoint(step, {"vector": torch.arange(4) + step}, {"step": step})


def found(store: CheckpointStore) -> int:
    """Return the step of the newest checkpoint, which is as it was saved."""
    newest = store.newest()
    assert newest is not None
    assert newest.facts == {"step": newest.step}
    assert torch.equal(newest.tensors["vector"], torch.arange(4) + newest.step)
    return newest.step


@pytest.mark.parametrize("keep", [1, 2])
def test_in_a_folder_there_is_always_a_whole_one_and_nothing_stays_behind(
    tmp_path, monkeypatch, keep
):
    reaper = Reaper(monkeypatch, [*FILES, (files, "save_file")])
    seen, at = [], 0
    while True:
        root = tmp_path / str(at)
        store = CheckpointStore(root, "worker-0", keep=keep)
        for step in (1, 2):
            store.save(a_checkpoint(step))
        killed = reaper.kills(store, a_checkpoint(3), at)
        seen.append(found(CheckpointStore(root, "worker-0", keep=keep)))
        CheckpointStore(root, "worker-0", keep=keep).save(a_checkpoint(4))
        assert len(list((root / "worker-0").iterdir())) == keep
        assert found(store) == 4
        shutil.rmtree(root)
        if not killed:
            break
        at += 1
    assert seen == sorted(seen)
    assert set(seen) == {2, 3}


@pytest.mark.parametrize("keep", [1, 2])
def test_in_a_bucket_there_is_always_a_whole_one_and_nothing_stays_behind(monkeypatch, keep):
    reaper = Reaper(monkeypatch, OBJECTS)
    seen, at = [], 0
    while True:
        objects = MemoryStore()
        monkeypatch.setattr(bucket, "open_bucket", lambda _url, objects=objects: objects)
        store = CheckpointStore("s3://models/job", "worker-0", keep=keep)
        for step in (1, 2):
            store.save(a_checkpoint(step))
        killed = reaper.kills(store, a_checkpoint(3), at)
        seen.append(found(store))
        store.save(a_checkpoint(4))
        assert len(list(obstore.list(objects).collect())) == 2 * keep
        assert found(store) == 4
        if not killed:
            break
        at += 1
    assert seen == sorted(seen)
    assert set(seen) == {2, 3}


def test_one_that_is_saved_over_is_gone_or_new_but_never_half_of_each(tmp_path, monkeypatch):
    reaper = Reaper(monkeypatch, FILES)
    at = 0
    while True:
        root = tmp_path / str(at)
        store = CheckpointStore(root, "worker-0", keep=2)
        for step in (1, 2):
            store.save(a_checkpoint(step))
        killed = reaper.kills(store, a_checkpoint(2), at)
        assert found(store) in {1, 2}
        if not killed:
            break
        at += 1
    assert at > 5
