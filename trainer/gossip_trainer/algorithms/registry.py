"""From the job's strategy to the algorithm that carries it out."""

from random import Random

from gossip_api.strategy import Strategy
from gossip_trainer.algorithms.all_reduce import AllReduce
from gossip_trainer.algorithms.base import Algorithm
from gossip_trainer.algorithms.effects import Rank
from gossip_trainer.algorithms.pull_gossip import PullGossip
from gossip_trainer.algorithms.view import View


def build_algorithm(strategy: Strategy, rank: Rank, view: View, stream: Random) -> Algorithm:
    """Return a fresh algorithm for one worker; `stream` must be its own."""
    if strategy.gossip is not None:
        settings = strategy.gossip
        return PullGossip(
            rank,
            view,
            stream,
            period=settings.period,
            mixing_weight=settings.mixing_weight,
            overlap=settings.overlap,
        )
    return AllReduce(rank, view)
