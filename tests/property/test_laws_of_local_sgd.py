"""Laws of all-reduce, local SGD and NoLoCo in expectation, with the real algorithm objects.

Notation: n workers, x_i their points, S = sum_i |x_i - xbar|^2, e the learning rate of local steps
with gradient noise of variance 1, a the outer learning rate. Every coordinate of x is an
independent replica, and tolerances are in standard errors of the sample itself.

Synchronous SGD on h x^2 / 2: Var(x) = (1 - e h)^2 Var(x) + e^2 / n, so e / (n h (2 - e h)).

Local steps on pure noise (h = 0) are random walks: E[S / n] = e^2 H (1 - 1/n) after H steps.

NoLoCo with x = phi (no local training) and without momentum moves both of a pair by a (mean - x),
which is mixing with weight b = a / 2 over a random perfect matching, so that for an even n
E[S'] = S (1 - 2 b (1 - b) n / (n - 1)), and the mean stays. With momentum it stays as well: the
outer steps of a pair add up to mu times those before, which added up to 0.
"""

from datetime import timedelta

import pytest
import torch

from gossip_trainer.algorithms.all_reduce import AllReduce
from gossip_trainer.algorithms.effects import Average, Hear, Loss, Message, Send, Wait
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.algorithms.local_sgd import LocalSGD
from gossip_trainer.algorithms.noloco import NoLoCo
from gossip_trainer.algorithms.view import make_view

SIGMAS = 4.5
REPLICAS = 20_000


def view_of(n):
    return make_view(1, dict.fromkeys(range(n), 0))


def noise(generator, x):
    return torch.randn(x.shape, generator=generator, dtype=torch.float64)


def average_(asked):
    """Carry out the averages that all ask for alike; return each worker's."""
    averages = [average for average, _ in asked]
    assert all(isinstance(average, Average) for average in averages)
    mean = torch.stack([average.vector for average in averages]).mean(dim=0)
    for average in averages:
        average.vector.copy_(mean)
    return averages


def within(values, expected, sigmas=SIGMAS):
    error = float(values.std()) / len(values) ** 0.5
    return abs(float(values.mean()) - expected) < sigmas * error


def spread(points):
    """S of every replica, shape (replicas,)."""
    return (points - points.mean(dim=0)).square().sum(dim=0)


def test_all_reduce_settles_at_the_variance_of_synchronous_sgd():
    n, rate, curvature, generator = 4, 0.2, 1.5, torch.Generator().manual_seed(1)
    workers = [AllReduce(rank, view_of(n)) for rank in range(n)]
    points = torch.zeros(n, REPLICAS, dtype=torch.float64)
    for _ in range(60):  # (1 - e h)^120 is left of the start
        gradients = [curvature * x + noise(generator, x) for x in points]
        asked = zip(workers, points, gradients, strict=True)
        average_([worker.on_gradient(Iterate(x), g) for worker, x, g in asked])
        for x, gradient in zip(points, gradients, strict=True):
            x.sub_(gradient, alpha=rate)
    assert torch.equal(points, points[:1].expand_as(points))
    squares = points[0].square()
    assert within(squares, rate / (n * curvature * (2 - rate * curvature)))
    alone = rate / (curvature * (2 - rate * curvature))
    assert not within(squares, alone, 2 * SIGMAS)


def local_steps_(workers, points, rate, generator, *, steps):
    """Take local steps on pure noise; return what the last one asks for."""
    effects = []
    for _ in range(steps):
        assert not any(effects)
        for worker, x in zip(workers, points, strict=True):
            worker.before_step(Iterate(x))
            x.sub_(noise(generator, x), alpha=rate)
        effects = [w.on_step(Iterate(x)) for w, x in zip(workers, points, strict=True)]
    return effects


@pytest.mark.parametrize("period", [1, 5, 20])
def test_workers_drift_apart_as_random_walks_do_and_an_outer_step_brings_them_together(period):
    n, rate, generator = 4, 0.3, torch.Generator().manual_seed(period)
    workers = [
        LocalSGD(
            rank,
            view_of(n),
            REPLICAS,
            period=period,
            learning_rate=0.7,
            momentum=0.9,
            nesterov=True,
        )
        for rank in range(n)
    ]
    points = torch.zeros(n, REPLICAS, dtype=torch.float64)
    for _ in range(2):  # the second round begins together again
        asked = local_steps_(workers, points, rate, generator, steps=period)
        assert within(spread(points) / n, rate**2 * period * (1 - 1 / n))
        for worker, x, average in zip(workers, points, average_(asked), strict=True):
            worker.on_averaged(average, Iterate(x))
        assert torch.equal(points, points[:1].expand_as(points))


# NoLoCo: pairs.


def nolocos(n, *, rate=0.7, momentum=0.0, seed=1, num_parameters=1):
    return [
        NoLoCo(
            rank,
            view_of(n),
            num_parameters,
            period=1,
            learning_rate=rate,
            momentum=momentum,
            deadline=timedelta(seconds=1),
            seed=seed,
        )
        for rank in range(n)
    ]


def meet_(workers, points, *, lost=(), order=None):
    """One outer step of all without local training.

    `order` is that in which messages arrive; those of the ranks in `lost` do not, and whoever waits
    for one goes on alone.
    """
    sent, heard = {}, {}
    for rank, worker in enumerate(workers):
        worker.before_step(Iterate(points[rank]))
        for effect in worker.on_step(Iterate(points[rank])):
            match effect:
                case Send():
                    sent[rank] = effect
                case Wait(Hear() as hear):
                    heard[rank] = hear
    for rank in order or sent:
        if rank in sent and rank not in lost:
            send = sent[rank]
            message = Message(send.vector, scalars=send.scalars)
            workers[send.to].on_message(rank, message, Iterate(points[send.to]))
    for rank, hear in heard.items():
        if hear.peer in lost:
            workers[rank].on_lost(hear, Loss.DEADLINE, Iterate(points[rank]))


def random_points(n, size, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, size, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("n", [2, 8])
@pytest.mark.parametrize("rate", [0.4, 1.0])
def test_a_round_of_pairs_shrinks_the_spread_as_a_random_matching_does(n, rate):
    ratios = []
    for seed in range(1500):
        points = random_points(n, 4, seed)
        before = float(spread(points).sum())
        meet_(nolocos(n, rate=rate, seed=seed, num_parameters=4), points)
        ratios.append(float(spread(points).sum()) / before)
    b = rate / 2
    law = 1 - 2 * b * (1 - b) * n / (n - 1)
    if n == 2:
        assert ratios == pytest.approx([(1 - rate) ** 2] * len(ratios), abs=1e-12)
        assert law == pytest.approx((1 - rate) ** 2)
        return
    ratios = torch.tensor(ratios, dtype=torch.float64)
    assert within(ratios, law)
    one_sided = (1 - b) ** 2 + b**2 - b**2 / n  # pulls that nobody answers
    assert not within(ratios, one_sided, 2 * SIGMAS)


@pytest.mark.parametrize("n", [4, 7])
@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_rounds_of_pairs_keep_the_mean_and_bring_everyone_to_it(n, momentum):
    points = random_points(n, 6)
    workers, mean = nolocos(n, momentum=momentum, num_parameters=6), points.mean(dim=0)
    for round_ in range(120):
        order = list(range(n)) if round_ % 2 else list(reversed(range(n)))
        meet_(workers, points, order=order)
        torch.testing.assert_close(points.mean(dim=0), mean)
    torch.testing.assert_close(points, mean.expand_as(points), rtol=0, atol=1e-3)


def test_a_worker_that_is_never_heard_changes_nobody_else_and_holds_nobody_up():
    points = random_points(4, 6)
    points[3] = 1e6
    workers = nolocos(4, num_parameters=6)
    for _ in range(50):
        meet_(workers, points, lost={3})
    assert points[:3].abs().max() < 10.0
    assert spread(points[:3]).max() < 1e-2
