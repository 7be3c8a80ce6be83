"""Parting nested state into tensors and JSON, and putting it together again."""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from gossip_trainer.checkpoint.tree import join, split
from gossip_trainer.errors import CheckpointError

PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
TENSORS = st.lists(st.integers(-5, 5), max_size=4).map(torch.tensor)
KEYS = st.text(max_size=3) | st.integers(0, 9)
TREES = st.recursive(
    PLAIN | TENSORS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(KEYS, inner, max_size=3)
        | st.tuples(inner, inner)
    ),
    max_leaves=12,
)


def same(one, other):
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and torch.equal(one, other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return type(one) is type(other) and all(map(same, one, other)) and len(one) == len(other)
    return type(one) is type(other) and one == other


@given(TREES)
def test_what_was_parted_is_put_together_as_it_was(tree):
    tensors, rest = split({"tree": tree})
    assert same(join(tensors, json.loads(json.dumps(rest)))["tree"], tree)


def test_two_ways_that_are_spelled_alike_are_kept_apart():
    one, two, three = (torch.tensor([value]) for value in (1, 2, 3))
    tree = {"a": {"b": one}, "a/b": two, 1: {"x": three}, "1": {"x": one}}
    tensors, rest = split(tree)
    assert same(join(tensors, rest), tree)


@pytest.mark.parametrize("make", [torch.optim.SGD, torch.optim.AdamW, torch.optim.Adagrad])
def test_an_optimizers_state_goes_through_it(make):
    model = nn.Linear(3, 2)
    optimizer = make(model.parameters(), lr=0.1)
    model(torch.ones(4, 3)).sum().backward()
    optimizer.step()
    state = optimizer.state_dict()
    tensors, rest = split(state)
    assert same(join(tensors, json.loads(json.dumps(rest))), state)


def test_what_is_neither_plain_nor_a_tensor_is_refused_by_its_place():
    with pytest.raises(CheckpointError, match="outer/inner/0: a set cannot be saved"):
        split({"outer": {"inner": [{1}]}})
