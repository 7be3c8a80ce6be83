"""What tests of the algorithms share: views, streams, and workers whose draws are given."""

import random

import pytest
import torch

from gossip_api.topology import Topology
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.algorithms.selection import PeerSelection
from gossip_trainer.algorithms.view import make_view
from gossip_trainer.seeding import derive_seed


class Draws:
    """A stream that makes a view of `size` ranks draw these places one after the other."""

    def __init__(self, size, places):
        self._numbers = iter([(place + 0.5) / size for place in places])

    def random(self):
        return next(self._numbers)


@pytest.fixture
def view_of():
    return lambda *ranks: make_view(1, dict.fromkeys(ranks, 0))


@pytest.fixture
def own_stream():
    return lambda rank, incarnation=0, seed=1: random.Random(
        derive_seed(seed, "peers", rank, incarnation)
    )


@pytest.fixture
def worker_of(view_of):
    """Return a function that makes a worker of a complete graph; it draws `draws` in turn."""

    def make(kind, draws, *, rank=0, size=4, **settings):
        selection = PeerSelection(Topology(), "Uniform", 1)
        return kind(rank, view_of(*range(size)), selection, Draws(size, draws), **settings)

    return make


@pytest.fixture
def x():
    return Iterate(torch.tensor([1.0, 2.0, 3.0]))
