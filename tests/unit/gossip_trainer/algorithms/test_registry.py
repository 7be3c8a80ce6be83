import random

import torch

from gossip_api.strategy import GossipSettings, Strategy
from gossip_trainer.algorithms.all_reduce import AllReduce
from gossip_trainer.algorithms.effects import Fetch, Message, Wait
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.algorithms.pull_gossip import PullGossip
from gossip_trainer.algorithms.registry import build_algorithm
from gossip_trainer.algorithms.view import make_view


class First:
    """Always draws the first member."""

    def random(self):
        return 0.0


def test_gossip_becomes_pull_gossip_with_the_jobs_settings():
    settings = GossipSettings(period=3, mixing_weight=0.25, overlap=False)
    view = make_view(1, {0: 0, 1: 0})
    worker = build_algorithm(Strategy(type="Gossip", gossip=settings), 1, view, First())
    x = Iterate(torch.zeros(2))
    assert isinstance(worker, PullGossip)
    assert (worker.rank, worker.view) == (1, view)
    assert [tuple(worker.on_step(x)) for _ in range(3)] == [(), (), (Fetch(0), Wait(Fetch(0)))]
    worker.on_message(0, Message(torch.full((2,), 4.0), step=3), x)
    assert torch.equal(x.live, torch.ones(2))


def test_all_reduce_becomes_all_reduce():
    worker = build_algorithm(Strategy(type="AllReduce"), 0, make_view(1, {0: 0}), random.Random(1))
    assert isinstance(worker, AllReduce)
