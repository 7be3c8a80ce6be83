"""What pairwise exchanges and push-sum keep, in any order of steps, arrivals, losses and deaths.

Pairwise: the sum of all x_i, less the differences that receivers have moved by and senders not yet.
Push-sum: the sums of w and of w z over all workers and all shares that are under way.
"""

import torch
from gossipers import gossipers, random_points
from hypothesis import given, settings
from hypothesis import strategies as st
from in_memory import World

from gossip_trainer.algorithms.pairwise import Pairwise
from gossip_trainer.algorithms.push_sum import PushSum

TOPOLOGIES = ["Complete", "Ring", "Exponential", "OnePeerExponential", "RandomMatching"]
SIZE = 4


class Run:
    """Workers, and a test that decides with Hypothesis what happens next.

    Args:
        data: Hypothesis's.
        kind: the workers' algorithm.
        total: what is kept.
        breaks: whether it is not, now that a message of a dead worker has been lost or taken.

    """

    def __init__(self, data, kind, *, total, breaks, gradient=None, lr=0.0, **settings):
        self.data, self.gradient = data, gradient
        n = data.draw(st.integers(1, 5), "workers")
        workers = gossipers(
            kind,
            n,
            topology=data.draw(st.sampled_from(TOPOLOGIES), "topology"),
            selection=data.draw(st.sampled_from(["Uniform", "UniformOthers", "Balanced"])),
            period=data.draw(st.integers(1, 2), "period"),
            overlap=data.draw(st.booleans(), "overlap"),
            **settings,
        )
        self.world = World(workers, random_points(n, SIZE), sgd={"lr": lr})
        self.total, self.breaks = total, breaks
        self.expected = total(self.world)

    def play(self, most=40):
        for _ in range(self.data.draw(st.integers(1, most), "events")):
            events = self.possible()
            happen, *what = events[self.data.draw(st.integers(0, len(events) - 1), "event")]
            orphans = self.orphans()
            happen(*what)
            if any(self.breaks(message) for message in orphans - self.orphans()):
                self.expected = self.total(self.world)
            torch.testing.assert_close(self.total(self.world), self.expected, rtol=0, atol=1e-12)

    def possible(self):
        world = self.world
        free = [rank for rank, worker in world.workers.items() if not worker.is_blocked]
        return [
            *((world.begin_step, rank, self.gradient) for rank in free),
            *((world.arrive, message) for message in world.under_way),
            *((world.lose, message) for message in world.under_way if message.answer is None),
            *([(self.kill,)] if len(world.workers) > 1 else []),
            (world.look_around,),
        ]

    def kill(self):
        """Let one die: what it held is missed, or half of an exchange it was in."""
        ranks = list(self.world.workers)
        self.world.kill(ranks[self.data.draw(st.integers(0, len(ranks) - 1), "dead")])
        self.expected = self.total(self.world)

    def orphans(self):
        """Messages of the dead that nobody has taken."""
        unread = [m for m in self.world.under_way if m.answer is None] + inboxes(self.world)
        return {m for m in unread if m.rank not in self.world.workers}


def points_of(world):
    return torch.stack([worker.live for worker in world.workers.values()])


def inboxes(world):
    return [m for worker in world.workers.values() for m in worker.arrived]


def pairwise_total(world):
    """Without what the workers trained, 1 per step."""
    total = sum(worker.live + worker.steps for worker in world.workers.values())
    answers = [m for m in [*world.under_way, *inboxes(world)] if m.answer is not None]
    living = [m for m in answers if m.rank in world.workers]
    return total - sum((m.answer.vector for m in living), torch.zeros(SIZE).double())


def push_sum_total(world):
    """The mass w z of all, and behind it w."""
    shares = [m for m in world.under_way if m.answer is None]
    for worker in world.workers.values():
        shares += [m for m in worker.arrived if m.is_lost or m.rank != worker.algorithm.rank]
    masses = [(w.live, w.algorithm.weight) for w in world.workers.values()]
    masses += [(m.effect.vector, m.effect.scalars[0]) for m in shares]
    return sum(weight * torch.cat([z, torch.ones(1).double()]) for z, weight in masses)


@settings(deadline=None)
@given(data=st.data())
def test_pairwise_exchanges_keep_the_sum_of_all_models_whatever_happens_in_whatever_order(data):
    weight = data.draw(st.floats(0.01, 1.0), "mixing weight")
    run = Run(
        data,
        Pairwise,
        total=pairwise_total,
        breaks=lambda message: not message.is_lost,
        gradient=torch.ones_like,
        lr=1.0,
        mixing_weight=weight,
    )
    run.play()


@settings(deadline=None)
@given(data=st.data())
def test_push_sum_keeps_all_mass_whatever_happens_in_whatever_order(data):
    Run(data, PushSum, total=push_sum_total, breaks=lambda message: message.is_lost).play()


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_with_push_sum_weights_stay_positive_and_models_within_the_range_they_began_in(data):
    run = Run(data, PushSum, total=push_sum_total, breaks=lambda message: message.is_lost)
    least, most = points_of(run.world).aminmax(dim=0)
    run.play()
    for worker in run.world.workers.values():
        assert worker.algorithm.weight > 0
        assert torch.all(worker.live >= least - 1e-12)
        assert torch.all(worker.live <= most + 1e-12)
