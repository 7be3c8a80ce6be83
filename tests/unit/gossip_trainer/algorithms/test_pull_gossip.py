import random
from collections import Counter

import pytest
import torch
from scipy.stats import chisquare

from gossip_trainer.algorithms.base import uniform_rank
from gossip_trainer.algorithms.effects import Fetch, Loss, Message, Wait
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.algorithms.pull_gossip import PullGossip
from gossip_trainer.algorithms.view import make_view
from gossip_trainer.seeding import derive_seed


class Draws:
    """A stream that makes a view of `size` ranks draw these positions one after the other."""

    def __init__(self, size, positions):
        self._numbers = iter([(position + 0.5) / size for position in positions])

    def random(self):
        return next(self._numbers)


def view_of(*ranks):
    return make_view(1, dict.fromkeys(ranks, 0))


def gossip(positions, *, rank=0, size=4, **settings):
    return PullGossip(rank, view_of(*range(size)), Draws(size, positions), **settings)


def own_stream(rank, incarnation=0, seed=1):
    return random.Random(derive_seed(seed, "peers", rank, incarnation))


def choices(rank, size, count, **stream):
    """Whom a worker chooses in `count` steps; itself where it asks for nothing."""
    worker = PullGossip(rank, view_of(*range(size)), own_stream(rank, **stream))
    x = Iterate(torch.zeros(1))
    return [effects[0].peer if (effects := worker.on_step(x)) else rank for _ in range(count)]


@pytest.fixture
def x():
    return Iterate(torch.tensor([1.0, 2.0, 3.0]))


def test_it_fetches_from_the_peer_it_drew(x):
    worker = gossip([2, 3, 1])
    assert [worker.on_step(x) for _ in range(3)] == [(Fetch(2),), (Fetch(3),), (Fetch(1),)]


def test_drawing_itself_it_asks_for_nothing_and_leaves_x_alone(x):
    before = x.live.clone()
    assert tuple(gossip([1], rank=1).on_step(x)) == ()
    assert torch.equal(x.live, before)


@pytest.mark.parametrize("period", [1, 2, 5])
def test_it_exchanges_every_period_steps_and_not_at_the_first(x, period):
    worker = gossip([1] * 20, period=period)
    asked = [step for step in range(1, 21) if worker.on_step(x)]
    assert asked == list(range(period, 21, period))


def test_it_draws_from_its_stream_only_when_an_exchange_is_due(x):
    worker = gossip([3], period=4)
    assert [tuple(worker.on_step(x)) for _ in range(4)] == [(), (), (), (Fetch(3),)]


def test_with_overlap_it_waits_for_nobody(x):
    assert gossip([1], overlap=True).on_step(x) == (Fetch(1),)


def test_without_overlap_it_waits_for_what_it_fetches(x):
    assert gossip([1], overlap=False).on_step(x) == (Fetch(1), Wait(Fetch(1)))


def test_without_overlap_drawing_itself_it_waits_for_nothing(x):
    assert tuple(gossip([0], overlap=False).on_step(x)) == ()


@pytest.mark.parametrize("weight", [0.5, 0.25, 1.0])
def test_a_peers_model_is_mixed_in_with_the_mixing_weight(x, weight):
    other = torch.tensor([5.0, -2.0, 3.0])
    expected = (1 - weight) * x.live + weight * other
    worker = gossip([1], mixing_weight=weight)
    assert tuple(worker.on_message(1, Message(other, step=7), x)) == ()
    torch.testing.assert_close(x.live, expected, rtol=0, atol=1e-6)


def test_by_default_the_two_models_are_averaged(x):
    gossip([1]).on_message(1, Message(torch.tensor([3.0, 0.0, 3.0]), step=0), x)
    assert torch.equal(x.live, torch.tensor([2.0, 1.0, 3.0]))


def test_a_lost_fetch_changes_nothing_and_the_next_period_asks_again(x):
    worker, before = gossip([1, 2]), x.live.clone()
    (fetch,) = worker.on_step(x)
    for reason in Loss:
        assert tuple(worker.on_lost(fetch, reason)) == ()
    assert torch.equal(x.live, before)
    assert worker.on_step(x) == (Fetch(2),)


def test_the_gradient_is_taken_before_the_step_and_the_step_before_the_average():
    # f(x) = x^2 / 2, so g(x0) = x0 and x1 = (x0 - eta x0 + y) / 2.
    x0, y, eta = torch.tensor([4.0, -2.0]), torch.tensor([1.0, 6.0]), 0.25
    theta = torch.nn.Parameter(x0.clone())
    optimizer = torch.optim.SGD([theta], lr=eta)
    x, worker = Iterate(theta.data), gossip([1], overlap=False)
    theta.square().sum().div(2).backward()
    assert tuple(worker.on_gradient(x, theta.grad)) == ()
    optimizer.step()
    assert worker.on_step(x) == (Fetch(1), Wait(Fetch(1)))
    worker.on_message(1, Message(y, step=1), x)
    assert torch.equal(theta.data, (x0 - eta * x0 + y) / 2)


def test_on_a_new_view_it_chooses_among_the_new_members_only(x):
    worker = PullGossip(0, view_of(0, 1, 2, 3), own_stream(0))
    assert tuple(worker.on_view(view_of(0, 5, 9))) == ()
    chosen = {effects[0].peer for _ in range(100) if (effects := worker.on_step(x))}
    assert chosen == {5, 9}


def test_alone_in_its_view_it_never_asks_for_anything(x):
    worker = PullGossip(3, view_of(3), own_stream(3), overlap=False)
    assert not any(worker.on_step(x) for _ in range(100))


def test_the_largest_number_a_stream_can_give_is_the_last_rank():
    class Largest:
        def random(self):
            return 1.0 - 2.0**-53

    assert all(
        uniform_rank(Largest(), view_of(*range(size))) == size - 1 for size in (1, 2, 3, 7, 10_000)
    )


@pytest.mark.parametrize(("rank", "size"), [(0, 8), (5, 8), (2, 3)])
def test_peers_are_chosen_uniformly_itself_included(rank, size):
    # p > 0.001: of 1000 correct implementations one would fail, but the seed is fixed.
    counts = Counter(choices(rank, size, 4000))
    assert set(counts) == set(range(size))
    assert chisquare([counts[peer] for peer in range(size)]).pvalue > 1e-3


def test_the_uniformity_test_would_notice_a_worker_that_never_draws_itself():
    counts = Counter(peer for peer in choices(0, 8, 4000) if peer != 0)
    assert chisquare([counts[peer] for peer in range(8)]).pvalue < 1e-12


def test_choices_are_the_same_again_with_the_same_seed():
    assert choices(2, 8, 50) == choices(2, 8, 50)


def test_another_rank_incarnation_or_seed_chooses_otherwise():
    streams = [choices(2, 64, 50, **which) for which in ({}, {"incarnation": 1}, {"seed": 2})] + [
        choices(3, 64, 50)
    ]
    assert len({tuple(stream) for stream in streams}) == 4


def test_streams_of_two_ranks_are_independent():
    # All pairs of (own choice, other's choice) are equally likely: 16 cells, 15 degrees of freedom.
    pairs = Counter(zip(choices(0, 4, 4000), choices(1, 4, 4000), strict=True))
    assert chisquare([pairs[a, b] for a in range(4) for b in range(4)]).pvalue > 1e-3
