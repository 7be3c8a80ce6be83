from types import SimpleNamespace

import pytest
import torch
from lone_worker import Clock

from gossip_trainer.checkpoint.background import BackgroundSaver
from gossip_trainer.checkpoint.store import CheckpointStore
from gossip_trainer.process.centre_memory import CentreMemory


class Source:
    """A part that is all of one value, held by nobody in the end."""

    def __init__(self):
        self.version, self.value, self.held = 0, 0.0, 0

    def pin(self):
        self.held += 1
        return SimpleNamespace(
            header=SimpleNamespace(step=self.version),
            vector=torch.full((4,), self.value),
            release=self._release,
        )

    def _release(self):
        self.held -= 1


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make(tmp_path, source, clock):
    savers = []

    def make():
        store = CheckpointStore(tmp_path, "server-0", 3)
        saver = BackgroundSaver(store, on_saved=lambda *_: None, on_failed=pytest.fail)
        savers.append(saver)
        return CentreMemory(store, saver, source.pin, every=10.0, clock=clock)

    yield make
    for saver in savers:
        saver.close()


def test_a_server_saves_when_it_is_time_to(make, source, clock, tmp_path):
    memory = make()
    source.version, source.value = 5, 2.0
    memory.look()
    clock.advance(11)
    memory.look()
    assert memory._saver.flush(10.0)
    assert CheckpointStore(tmp_path, "server-0", 3).newest().step == 5
    assert source.held == 0


def test_its_successor_goes_on_with_the_part_and_saves_it_as_a_later_one(make, source, tmp_path):
    memory = make()
    source.version, source.value = 5, 2.0
    memory.save_last()
    successor = make()
    assert torch.equal(successor.recall(4, torch.float32), torch.full((4,), 2.0))
    source.version, source.value = 1, 3.0  # counted from 0 again
    successor.save_last()
    newest = CheckpointStore(tmp_path, "server-0", 3).newest()
    assert (newest.step, newest.tensors["part"][0].item()) == (6, 3.0)


def test_a_part_of_another_size_is_not_taken(make, source):
    make().save_last()
    assert make().recall(5, torch.float32) is None
    assert make().recall(4, torch.float64) is None
