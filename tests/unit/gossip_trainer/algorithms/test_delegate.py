"""A stand-in passes everything on, whatever an algorithm will have to offer."""

import inspect
from types import SimpleNamespace

import pytest

from gossip_trainer.algorithms.base import Algorithm
from gossip_trainer.algorithms.delegate import Delegate
from gossip_trainer.algorithms.view import make_view

CALLS = {
    name: function
    for name, function in inspect.getmembers(Algorithm, inspect.isfunction)
    if not name.startswith("_")
}
PLAIN = Algorithm(0, make_view(0, {0: 0}))
ATTRIBUTES = {
    name
    for name in (*vars(PLAIN), *Algorithm.__annotations__)
    if not name.startswith("_") and name not in CALLS
}


def test_there_is_something_to_pass_on():
    assert {"before_step", "on_gradient", "on_message", "on_finish"} <= CALLS.keys()
    assert {"rank", "view", "idle", "weight", "steps_locally"} <= ATTRIBUTES


@pytest.mark.parametrize("name", sorted(CALLS))
def test_every_call_is_passed_on_with_its_arguments_and_its_result(name):
    told, result = [], object()
    arguments = [object() for _ in list(inspect.signature(CALLS[name]).parameters)[1:]]
    inner = Algorithm(0, make_view(0, {0: 0}))
    setattr(inner, name, lambda *given: told.append(given) or result)
    answer = getattr(Delegate(inner), name)(*arguments)
    assert told == [tuple(arguments)]
    assert answer is (None if name in {"before_step", "restore"} else result)


@pytest.mark.parametrize("name", sorted(ATTRIBUTES))
def test_every_attribute_is_the_inner_ones(name):
    values = {attribute: object() for attribute in ATTRIBUTES}
    inner = SimpleNamespace(**values)
    assert getattr(Delegate(inner), name) is values[name]


@pytest.mark.parametrize("name", ["view", "weight", "idle"])
def test_what_changes_is_read_from_the_inner_one_every_time(name):
    inner = Algorithm(0, make_view(0, {0: 0}))
    delegate, value = Delegate(inner), object()
    setattr(inner, name, value)
    assert getattr(delegate, name) is value


def test_whether_it_is_idle_is_told_to_the_inner_one():
    inner = Algorithm(0, make_view(0, {0: 0}))
    Delegate(inner).idle = False
    assert inner.idle is False
