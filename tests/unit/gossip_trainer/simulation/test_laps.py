"""The wall time of an algorithm's arithmetic is told apart, and nothing else changes."""

import inspect

import pytest

from gossip_trainer.algorithms.base import Algorithm
from gossip_trainer.algorithms.view import make_view
from gossip_trainer.simulation.laps import Lap, Laps, TimedAlgorithm

VIEW = make_view(0, {0: 0})
TIMED = ["before_step", "on_gradient", "on_step", "on_answer", "on_message", "on_averaged"]


class Tell:
    """A lap that tells whether somebody is in it."""

    def __init__(self):
        self.inside, self.seconds = False, 0.0

    def __enter__(self):
        assert not self.inside
        self.inside = True

    def __exit__(self, *_):
        self.inside = False


@pytest.mark.parametrize("name", TIMED)
def test_a_call_that_computes_is_timed_and_passed_on(name):
    lap, told, result = Tell(), [], object()
    inner = Algorithm(0, VIEW)
    setattr(inner, name, lambda *given: told.append((given, lap.inside)) or result)
    arguments = [object() for _ in inspect.signature(getattr(Algorithm, name)).parameters][1:]
    answer = getattr(TimedAlgorithm(inner, lap), name)(*arguments)
    assert told == [(tuple(arguments), True)]
    assert not lap.inside
    assert answer is (None if name == "before_step" else result)


def test_a_lap_adds_up_the_time_inside_of_it(monkeypatch):
    moments = iter([1.0, 3.0, 10.0, 10.5])
    monkeypatch.setattr("time.perf_counter", lambda: next(moments))
    lap = Lap()
    for _ in range(2):
        with lap:
            pass
    assert lap.seconds == 2.5


def test_every_activity_is_told_by_its_name():
    laps = Laps()
    laps.mixing.seconds = 3.0
    names = {"gradient", "optimizer", "mixing", "publishing", "evaluation"}
    assert laps.seconds() == dict.fromkeys(names, 0.0) | {"mixing": 3.0}
