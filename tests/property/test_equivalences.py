"""What strategies are equal to: one worker with a larger batch, plain SGD, or each other.

Real algorithm objects, torch's own optimizers, real gradients of least squares in double precision.
Two runs count as equal when they differ by rounding after `STEPS` steps.
"""

import math
from datetime import timedelta

import pytest
import torch

from gossip_trainer.algorithms.all_reduce import AllReduce
from gossip_trainer.algorithms.base import Algorithm
from gossip_trainer.algorithms.effects import (
    Average,
    Hear,
    Message,
    Request,
    Send,
    Shard,
    Wait,
)
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.algorithms.local_sgd import LocalSGD
from gossip_trainer.algorithms.noloco import NoLoCo
from gossip_trainer.algorithms.parameter_server import ParameterServer, ParameterServerShard
from gossip_trainer.algorithms.view import make_view
from gossip_trainer.replica.flat import iterate_over

SIZE, BATCH, STEPS = 6, 4, 50
WHOLE = {Shard(0): slice(0, SIZE)}
SGDS = [
    {"lr": 0.05},
    {"lr": 0.05, "momentum": 0.9},
    {"lr": 0.05, "momentum": 0.9, "nesterov": True},
    {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    {"lr": 0.05, "momentum": 0.5, "weight_decay": 0.1},
]
every_sgd = pytest.mark.parametrize("sgd", SGDS, ids=str)


def view_of(n):
    return make_view(1, dict.fromkeys(range(n), 0))


def batches(n, seed=1):
    """Yield for every step the inputs and targets of `n` workers."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(STEPS):
        yield [
            (
                torch.randn(BATCH, SIZE, generator=generator, dtype=torch.float64),
                torch.randn(BATCH, generator=generator, dtype=torch.float64),
            )
            for _ in range(n)
        ]


def start():
    return torch.linspace(-1.0, 1.0, SIZE, dtype=torch.float64)


class Trainee:
    """A model of one weight vector, and its optimizer."""

    def __init__(self, algorithm=None, *, make=torch.optim.SGD, **settings):
        self.algorithm = algorithm or Algorithm(0, view_of(1))
        self.parameter = torch.nn.Parameter(start())
        self.optimizer = make([self.parameter], **settings)

    @property
    def x(self):
        return iterate_over(self.parameter.data, self.parameter, self.optimizer)

    def gradient(self, inputs, targets):
        self.optimizer.zero_grad()
        ((inputs @ self.parameter - targets) ** 2).mean().backward()
        return self.parameter.grad


def meet_(trainees, asked):
    """Carry out what all of them asked for alike: an average that is waited for, or nothing."""
    if not any(asked):
        return
    averages = [average for average, wait in asked if wait == Wait(average)]
    assert all(isinstance(average, Average) for average in averages)
    mean = torch.stack([average.vector for average in averages]).mean(dim=0)
    for trainee, average in zip(trainees, averages, strict=True):
        average.vector.copy_(mean)
        assert tuple(trainee.algorithm.on_averaged(average, trainee.x)) == ()


def train(trainees, given):
    """Train in step with each other; return every worker's points, without look-ahead."""
    points = []
    for step in given:
        for trainee in trainees:
            trainee.algorithm.before_step(trainee.x)
        gradients = [t.gradient(*batch) for t, batch in zip(trainees, step, strict=True)]
        meet_(
            trainees,
            [t.algorithm.on_gradient(t.x, g) for t, g in zip(trainees, gradients, strict=True)],
        )
        for trainee in trainees:
            trainee.optimizer.step()
        meet_(trainees, [trainee.algorithm.on_step(trainee.x) for trainee in trainees])
        points.append(torch.stack([trainee.x.copy() for trainee in trainees]))
    return torch.stack(points)


def one_big_batch(n, **settings):
    """Train one worker on the batches of all `n`; shape (STEPS, 1, SIZE)."""
    merged = (
        [(torch.cat([i for i, _ in step]), torch.cat([t for _, t in step]))] for step in batches(n)
    )
    return train([Trainee(**settings)], merged)


def assert_equal(points, expected):
    torch.testing.assert_close(points, expected.expand_as(points), rtol=1e-11, atol=1e-12)


def differ(points, expected):
    return (points - expected).abs().max() > 1e-4


def local_sgds(n, *, period=1, learning_rate=1.0, momentum=0.0, nesterov=False):
    return [
        LocalSGD(
            rank,
            view_of(n),
            SIZE,
            period=period,
            learning_rate=learning_rate,
            momentum=momentum,
            nesterov=nesterov,
        )
        for rank in range(n)
    ]


@every_sgd
@pytest.mark.parametrize("n", [2, 3])
def test_all_reduce_is_one_worker_with_all_batches_in_one(n, sgd):
    trainees = [Trainee(AllReduce(rank, view_of(n)), **sgd) for rank in range(n)]
    assert_equal(train(trainees, batches(n)), one_big_batch(n, **sgd))


def test_all_reduce_is_one_worker_with_all_batches_in_one_with_adam_too():
    adam = {"make": torch.optim.Adam, "lr": 0.05}
    trainees = [Trainee(AllReduce(rank, view_of(3)), **adam) for rank in range(3)]
    points = train(trainees, batches(3))
    torch.testing.assert_close(
        points, one_big_batch(3, **adam).expand_as(points), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("sgd", [sgd for sgd in SGDS if "nesterov" not in sgd], ids=str)
def test_averaging_after_every_step_of_sgd_is_synchronous_sgd(sgd):
    # All updates are linear in gradient, momentum and x, so local momentum averages out.
    trainees = [Trainee(algorithm, **sgd) for algorithm in local_sgds(3)]
    assert_equal(train(trainees, batches(3)), one_big_batch(3, **sgd))


def test_averaging_after_every_step_of_nesterovs_sgd_is_not_synchronous_sgd():
    # x is averaged and momentum is not, so everyone takes its gradient at a look-ahead point of
    # its own, x - momentum * rate * its buffer.
    nesterov = {"lr": 0.05, "momentum": 0.9, "nesterov": True}
    points = train([Trainee(algorithm, **nesterov) for algorithm in local_sgds(3)], batches(3))
    assert_equal(points[0], one_big_batch(3, **nesterov)[0])
    assert differ(points, one_big_batch(3, **nesterov))


def test_averaging_after_every_step_of_adam_is_not_synchronous_adam():
    adam = {"make": torch.optim.Adam, "lr": 0.05}
    points = train([Trainee(algorithm, **adam) for algorithm in local_sgds(3)], batches(3))
    assert differ(points, one_big_batch(3, **adam))


def test_averaging_after_every_other_step_is_not_synchronous_sgd():
    trainees = [Trainee(algorithm, lr=0.05) for algorithm in local_sgds(3, period=2)]
    assert differ(train(trainees, batches(3)), one_big_batch(3, lr=0.05))


@pytest.mark.parametrize(
    ("momentum", "nesterov"), [(0.0, False), (0.8, False), (0.8, True)], ids=str
)
def test_diloco_after_every_step_is_synchronous_sgd_with_the_outer_momentum(momentum, nesterov):
    # Inner rate g, outer rate e: delta = g * mean gradient, and so an SGD step with rate e * g.
    algorithms = local_sgds(3, learning_rate=0.7, momentum=momentum, nesterov=nesterov)
    points = train([Trainee(algorithm, lr=0.1) for algorithm in algorithms], batches(3))
    # phi moves as torch's own parameter does, so it is the reference's live point, look-ahead
    # included, that it equals.
    reference = Trainee(lr=0.7 * 0.1, momentum=momentum, nesterov=nesterov)
    expected = []
    for step in batches(3):
        gradient = sum(reference.gradient(*batch).clone() for batch in step) / 3
        reference.parameter.grad = gradient
        reference.optimizer.step()
        expected.append(reference.parameter.detach().clone())
    assert_equal(points, torch.stack(expected).unsqueeze(1))


OPTIMIZERS = [{"make": torch.optim.SGD} | sgd for sgd in SGDS] + [
    {"make": torch.optim.Adam, "lr": 0.05},
    {"make": torch.optim.AdamW, "lr": 0.05, "weight_decay": 0.1},
]


def train_alone_with_server(given, **settings):
    """Train one worker whose optimizer is the server's; return its points as it computes at them.

    The server's own point is returned as well.
    """
    served = Trainee(**settings)
    server = ParameterServerShard(
        served.parameter.data,
        SIZE,
        update=lambda gradient: step_with(served, gradient),
        iterate=lambda: served.x,
        share=1.0,
        max_staleness=0,
        view=view_of(1),
    )
    worker = Trainee(ParameterServer(0, view_of(1), WHOLE, SIZE), lr=math.nan)
    points = []
    for number, (batch,) in enumerate(given):
        send, wait = worker.algorithm.on_gradient(worker.x, worker.gradient(*batch))
        assert wait == Wait(send)
        message = Message(send.vector, scalars=send.scalars, request=Request("worker-0", number))
        (answer,) = server.on_message(0, message)
        worker.algorithm.on_answer(send, Message(answer.vector, answer.step), worker.x)
        points.append(worker.parameter.detach().clone())
    return torch.stack(points), server.centre.copy()


def step_with(trainee, gradient):
    trainee.parameter.grad = gradient.clone()
    trainee.optimizer.step()


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_a_parameter_server_of_one_worker_is_plain_training_bit_for_bit(optimizer):
    points, centre = train_alone_with_server(batches(1), **optimizer)
    alone, live = Trainee(**optimizer), []
    for (batch,) in batches(1):
        alone.gradient(*batch)
        alone.optimizer.step()
        live.append(alone.parameter.detach().clone())
    assert torch.equal(points, torch.stack(live))
    assert torch.equal(centre, alone.x.copy())


@every_sgd
def test_all_reduce_of_one_worker_is_plain_training_bit_for_bit(sgd):
    points = train([Trainee(AllReduce(0, view_of(1)), **sgd)], batches(1))
    assert torch.equal(points, train([Trainee(**sgd)], batches(1)))


@every_sgd
@pytest.mark.parametrize("period", [1, 7])
def test_diloco_of_one_worker_with_rate_one_and_no_momentum_is_local_training(sgd, period):
    points = train([Trainee(a, **sgd) for a in local_sgds(1, period=period)], batches(1))
    assert_equal(points, train([Trainee(**sgd)], batches(1)))


def train_noloco(trainees, given):
    """Train in step with each other, where everybody hears its partner at once."""
    points = []
    for step in given:
        told = {}
        for rank, (trainee, batch) in enumerate(zip(trainees, step, strict=True)):
            trainee.algorithm.before_step(trainee.x)
            trainee.gradient(*batch)
            trainee.optimizer.step()
            for effect in trainee.algorithm.on_step(trainee.x):
                if isinstance(effect, Send):
                    told[effect.to] = (rank, Message(effect.vector, scalars=effect.scalars))
        for rank, (sender, message) in told.items():
            trainees[rank].algorithm.on_message(sender, message, trainees[rank].x)
        points.append(torch.stack([trainee.x.copy() for trainee in trainees]))
    return torch.stack(points)


def nolocos(n, *, period, learning_rate, momentum):
    return [
        NoLoCo(
            rank,
            view_of(n),
            SIZE,
            period=period,
            learning_rate=learning_rate,
            momentum=momentum,
            deadline=timedelta(seconds=1),
            seed=1,
        )
        for rank in range(n)
    ]


@pytest.mark.parametrize("momentum", [0.0, 0.5])
@pytest.mark.parametrize("period", [1, 5])
def test_noloco_of_two_workers_is_diloco_with_the_heavy_ball(period, momentum):
    settings = {"period": period, "learning_rate": 0.7, "momentum": momentum}
    pair = train_noloco([Trainee(a, lr=0.05) for a in nolocos(2, **settings)], batches(2))
    all_workers = train([Trainee(a, lr=0.05) for a in local_sgds(2, **settings)], batches(2))
    assert_equal(pair, all_workers)


def test_noloco_of_two_workers_is_not_diloco_with_nesterovs_momentum():
    settings = {"period": 5, "learning_rate": 0.7, "momentum": 0.5}
    pair = train_noloco([Trainee(a, lr=0.05) for a in nolocos(2, **settings)], batches(2))
    nesterov = local_sgds(2, nesterov=True, **settings)
    assert differ(pair, train([Trainee(a, lr=0.05) for a in nesterov], batches(2)))


def test_without_local_training_a_pairs_distance_shrinks_by_one_minus_the_outer_rate():
    pair = nolocos(2, period=1, learning_rate=0.7, momentum=0.0)
    points = [torch.full((SIZE,), value, dtype=torch.float64) for value in (-3.0, 5.0)]
    for _ in range(4):
        gap = points[1] - points[0]
        told = {}
        for rank, worker in enumerate(pair):
            x = Iterate(points[rank])
            worker.before_step(x)
            send, hear, _ = worker.on_step(x)
            assert isinstance(hear.effect, Hear)
            told[send.to] = (rank, Message(send.vector, scalars=send.scalars))
        for rank, (sender, message) in told.items():
            pair[rank].on_message(sender, message, Iterate(points[rank]))
        torch.testing.assert_close(points[1] - points[0], (1 - 0.7) * gap)
