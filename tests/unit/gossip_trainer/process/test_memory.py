import random

import pytest
import torch
from lone_worker import Clock, build_worker

from gossip_trainer.algorithms.base import Algorithm
from gossip_trainer.checkpoint.background import BackgroundSaver
from gossip_trainer.checkpoint.store import CheckpointStore
from gossip_trainer.process.memory import Memory, random_states, restore_random
from gossip_trainer.progress.shared import JobProgress

MEMBERS = ("worker-0", "worker-1")


@pytest.fixture
def worker():
    worker = build_worker(Algorithm)
    worker.step()
    return worker


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def memory(tmp_path, clock):
    stores = [CheckpointStore(tmp_path, member, 3) for member in MEMBERS]
    events = []
    saver = BackgroundSaver(
        stores[0], on_saved=lambda _seconds, where: events.append(where), on_failed=events.append
    )
    memory = Memory(stores[0], saver, others=stores, every=10.0, clock=clock)
    memory.events = events
    yield memory
    saver.close()


def after_step(memory, worker):
    memory.after_step(worker.boundary, worker.progress)
    assert memory._saver.flush(10.0)


def test_it_saves_when_it_is_time_to_and_not_before(memory, worker, clock):
    clock.advance(9.9)
    after_step(memory, worker)
    assert memory.events == []
    clock.advance(0.2)
    after_step(memory, worker)
    after_step(memory, worker)
    assert len(memory.events) == 1


def test_it_saves_at_once_where_that_is_asked_for(memory, worker):
    assert memory.save_now(worker.boundary, worker.progress)
    assert memory._saver.flush(10.0)
    assert len(memory.events) == 1


def test_where_nothing_was_saved_there_is_nothing_to_recall(memory):
    assert memory.recall() is None
    assert not memory.is_job_known()


def test_what_others_saved_tells_that_the_job_was_trained(memory, worker, tmp_path):
    other = CheckpointStore(tmp_path, "worker-1", 3)
    memory.save_last(worker.boundary, worker.progress)
    saved = CheckpointStore(tmp_path, "worker-0", 3).newest()
    other.save(saved)
    fresh = CheckpointStore(tmp_path, "worker-2", 3)
    memory = Memory(fresh, memory._saver, others=[other], every=1.0)
    assert memory.recall() is None
    assert memory.is_job_known()


def test_a_worker_that_loads_what_was_saved_stands_where_the_saver_stood(memory, worker):
    for _ in range(3):
        worker.step()
    memory.save_last(worker.boundary, worker.progress)
    saved = memory.recall()
    other = build_worker(Algorithm)
    other.boundary.state.load(saved["worker"])
    assert torch.equal(other.model.vector, worker.model.vector)
    assert other.boundary.counters.steps == worker.boundary.counters.steps == 4
    other.step()
    worker.step()
    assert torch.equal(other.model.vector, worker.model.vector)


def test_samples_of_processes_before_count_on(memory, worker):
    memory.save_last(worker.boundary, worker.progress)
    progress = JobProgress(lambda: 0.0)
    progress.take_over(tuple(row) for row in memory.recall()["rows"])
    assert progress.samples == worker.boundary.job_samples > 0
    assert progress.own_samples == 0


def test_what_is_registered_is_saved_with_the_position(memory, worker):
    class Counter:
        def state_dict(self):
            return {"count": 5}

    memory.registered["counter"] = Counter()
    memory.position = lambda: {"epoch": 2, "offset": 7}
    memory.save_last(worker.boundary, worker.progress)
    saved = memory.recall()
    assert saved["registered"] == {"counter": {"count": 5}}
    assert saved["position"] == {"epoch": 2, "offset": 7}


def test_while_one_is_being_written_the_next_waits_for_its_turn(memory, worker, clock, monkeypatch):
    monkeypatch.setattr(type(memory._saver), "busy", True)
    clock.advance(20)
    memory.after_step(worker.boundary, worker.progress)
    assert memory.events == []
    monkeypatch.undo()
    after_step(memory, worker)
    assert len(memory.events) == 1


def test_random_streams_go_on_where_they_were():
    kept = torch.get_rng_state()
    try:
        states = random_states()
        drawn = (random.random(), torch.rand(3))
        restore_random(states)
        assert random.random() == drawn[0]
        assert torch.equal(torch.rand(3), drawn[1])
    finally:
        torch.set_rng_state(kept)
