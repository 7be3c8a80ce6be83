import threading
import time

from gossip_trainer.training import news as module
from gossip_trainer.training.news import News, drive


def test_driving_waits_where_the_steps_wait_and_returns_what_they_return():
    waited = []

    def steps():
        yield 3.0
        yield float("inf")
        return "done"

    assert drive(steps(), waited.append) == "done"
    assert waited == [3.0, float("inf")]


def test_a_bell_that_was_rung_before_makes_the_next_wait_short_and_only_that(monkeypatch):
    monkeypatch.setattr(module, "WAIT_SLICE_SECONDS", 0.05)
    news = News()
    news.ring()
    news.ring()
    news.wait(100.0)
    began = time.monotonic()
    news.wait(100.0)
    assert time.monotonic() - began >= 0.05


def test_a_ring_from_another_thread_ends_a_wait(monkeypatch):
    monkeypatch.setattr(module, "WAIT_SLICE_SECONDS", 60.0)
    news = News()
    ringer = threading.Timer(0.02, news.ring)
    ringer.start()
    began = time.monotonic()
    news.wait(60.0)
    ringer.join()
    assert time.monotonic() - began < 30.0


def test_no_wait_is_so_long_that_the_jobs_end_goes_unnoticed(monkeypatch):
    monkeypatch.setattr(module, "WAIT_SLICE_SECONDS", 0.01)
    News().wait(float("inf"))


def test_a_wait_is_no_longer_than_was_asked_for():
    began = time.monotonic()
    News().wait(0.0)
    assert time.monotonic() - began < module.WAIT_SLICE_SECONDS / 2
