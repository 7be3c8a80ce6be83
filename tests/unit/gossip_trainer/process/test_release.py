import threading
from types import SimpleNamespace

import pytest

from gossip_api.names import Role
from gossip_trainer.errors import RunError
from gossip_trainer.process import release as module
from gossip_trainer.process.release import await_release, pin_final
from gossip_trainer.progress.shared import JobProgress
from gossip_trainer.transport.wire import SnapshotHeader


class Time:
    """A clock that passes when somebody waits for a leave that nobody asked for."""

    def __init__(self):
        self.now = 100.0
        self.at_wait = lambda: None
        self.is_leaving = False

    def monotonic(self):
        return self.now

    def wait(self, seconds):
        self.now += seconds
        assert self.now < 10_000, "it would wait for ever"
        self.at_wait()
        return self.is_leaving


@pytest.fixture
def time(monkeypatch):
    time = Time()
    monkeypatch.setattr(module, "time", time)
    return time


@pytest.fixture
def progress(time):
    return JobProgress(time.monotonic)


def hear(progress, *, released=False):
    evaluator = JobProgress(lambda: 0.0)
    if released:
        evaluator.release()
    progress.receive(f"{Role.EVALUATOR}-0-0", evaluator.send())


def test_a_finished_worker_goes_when_the_evaluator_lets_it_go(time, progress):
    time.at_wait = lambda: hear(progress, released=time.now > 150)
    assert await_release(progress, time)
    assert time.now == pytest.approx(150, abs=1)


def test_without_a_sign_of_the_evaluator_it_goes_after_a_minute(time, progress):
    assert not await_release(progress, time)
    assert time.now == pytest.approx(160, abs=1)


def test_every_sign_of_the_evaluator_gives_it_another_minute(time, progress):
    time.at_wait = lambda: hear(progress) if time.now < 400 else None
    assert not await_release(progress, time)
    assert time.now == pytest.approx(460, abs=1)


def test_one_told_to_go_does_not_wait(time, progress):
    time.is_leaving = True
    assert not await_release(progress, time)
    assert time.now < 101


def test_it_notices_at_once_that_it_is_to_leave(progress):
    leaving = threading.Event()
    leaving.set()
    assert not await_release(JobProgress(lambda: 0.0), leaving)


class Published:
    """Snapshots of which the last arrives late."""

    def __init__(self, *headers):
        self.headers, self.released = list(headers), 0

    def pin(self):
        header = self.headers[0]
        if len(self.headers) > 1:
            self.headers.pop(0)
        return header and SimpleNamespace(header=header, release=self._release)

    def _release(self):
        self.released += 1


def test_the_final_model_is_waited_for_where_its_copy_is_under_way(monkeypatch):
    monkeypatch.setattr(module, "POLL_SECONDS", 0.0)
    before, final = SnapshotHeader(7, 7), SnapshotHeader(8, 8, finished=True)
    published = Published(None, before, before, final)
    assert pin_final(published).header is final
    assert published.released == 2


def test_a_final_model_that_never_arrives_is_an_error(monkeypatch):
    monkeypatch.setattr(module, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(module, "RELEASE_SECONDS", 0.01)
    with pytest.raises(RunError, match="did not arrive"):
        pin_final(Published(SnapshotHeader(7, 7)))
