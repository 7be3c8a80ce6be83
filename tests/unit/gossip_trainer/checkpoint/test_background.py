import threading

import pytest

from gossip_trainer.checkpoint.background import BackgroundSaver
from gossip_trainer.checkpoint.store import Checkpoint, CheckpointStore
from gossip_trainer.errors import CheckpointError

SECONDS = 10.0


class HeldStore(CheckpointStore):
    """Saves nothing until it is let, and fails if it is told to."""

    def __init__(self, *, error: Exception | None = None) -> None:
        self.go_on = threading.Event()
        self.error = error

    def save(self, checkpoint: Checkpoint) -> str:
        assert self.go_on.wait(SECONDS)
        if self.error is not None:
            raise self.error
        return f"step {checkpoint.step}"


class Told:
    def __init__(self) -> None:
        self.saved: list[str] = []
        self.failed: list[Exception] = []

    def saver(self, store: CheckpointStore) -> BackgroundSaver:
        times = iter(range(100))
        return BackgroundSaver(
            store,
            on_saved=lambda seconds, where: self.saved.append(f"{where} in {seconds} s"),
            on_failed=self.failed.append,
            clock=lambda: float(next(times)),
        )


def a_checkpoint(step: int) -> Checkpoint:
    return Checkpoint(step, {}, {})


def test_while_one_is_under_way_no_other_is_taken():
    store, told = HeldStore(), Told()
    saver = told.saver(store)
    assert saver.submit(a_checkpoint(1))
    assert saver.busy
    assert not saver.submit(a_checkpoint(2))
    store.go_on.set()
    assert saver.flush(SECONDS)
    assert not saver.busy
    assert saver.submit(a_checkpoint(3))
    saver.close()
    assert told.saved == ["step 1 in 1.0 s", "step 3 in 1.0 s"]


def test_a_flush_ends_at_its_deadline():
    store, told = HeldStore(), Told()
    saver = told.saver(store)
    saver.submit(a_checkpoint(1))
    assert not saver.flush(0.01)
    store.go_on.set()
    saver.close()


@pytest.mark.parametrize("error", [CheckpointError("no bucket"), TypeError("no JSON")])
def test_a_failure_is_told_and_the_next_is_taken(error):
    store, told = HeldStore(error=error), Told()
    store.go_on.set()
    saver = told.saver(store)
    saver.submit(a_checkpoint(1))
    assert saver.flush(SECONDS)
    assert told.failed == [error]
    assert saver.submit(a_checkpoint(2))
    saver.close()
    assert told.saved == []


def test_closing_gives_up_on_a_storage_that_hangs_and_tells():
    store, told = HeldStore(), Told()
    saver = told.saver(store)
    saver.submit(a_checkpoint(7))
    saver.close(timeout=0.01)
    (error,) = told.failed
    assert str(error) == "step 7: was still being saved after 0.01 s"
    store.go_on.set()


def test_a_closed_saver_takes_nothing():
    saver = Told().saver(HeldStore())
    saver.close()
    saver.close()
    with pytest.raises(CheckpointError, match="step 1: the saver has ended"):
        saver.submit(a_checkpoint(1))


def test_what_it_saves_is_found_in_the_store(tmp_path):
    store, told = CheckpointStore(tmp_path, "worker-0", keep=1), Told()
    saver = told.saver(store)
    saver.submit(a_checkpoint(5))
    saver.close()
    assert store.newest() == a_checkpoint(5)
    assert told.failed == []
