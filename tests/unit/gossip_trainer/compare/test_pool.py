import importlib
import time
from pathlib import Path

import pytest

from gossip_trainer.compare.pool import Done, Failed, Going, one_by_one, side_by_side


@pytest.fixture
def work(monkeypatch):
    """Return work that child processes find, too: their path is the parent's."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    return importlib.import_module("pool_work").work


def test_tasks_are_done_one_by_one_and_a_failure_does_not_lose_the_others(work):
    told = []
    news = list(one_by_one(work, [1, "fail", 3], told.append))
    assert news == [Done(0, 2), Failed(1, "no such file"), Done(2, 6)]
    assert told == [Going(0, 0.5), Going(1, 0.5), Going(2, 0.5)]


def test_an_interrupt_is_no_failure():
    def interrupted(_task, _watch):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(one_by_one(interrupted, [1], lambda _: None))


@pytest.mark.heavy
def test_processes_outlive_tasks_that_fail_or_kill_them(work):
    told = []
    tasks = [1, "fail", "die", "exit", 5, 6]
    news = list(side_by_side(work, 2, tasks, told.append))
    assert sorted(news, key=lambda each: each.index) == [
        Done(0, 2),
        Failed(1, "no such file"),
        Failed(2, "its process was killed by SIGKILL; was there enough memory?"),
        Failed(3, "its process ended with exit code 7"),
        Done(4, 10),
        Done(5, 12),
    ]
    assert {each.index for each in told} == set(range(6))


@pytest.mark.heavy
def test_closing_it_ends_what_is_still_going(work):
    began = time.monotonic()
    news = side_by_side(work, 2, ["wait", 2], lambda _: None)
    assert next(news) == Done(1, 4)
    news.close()
    assert time.monotonic() - began < 30


def test_no_tasks_need_no_processes(work):
    assert list(side_by_side(work, 2, [], lambda _: None)) == []
