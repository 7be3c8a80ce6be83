"""The moving average of a worker's x: what it is, and when it is given out."""

import pytest
import torch
from lone_worker import build_worker
from torch import nn

from gossip_api.training import MovingAverage as Settings
from gossip_api.training import Optimizer
from gossip_trainer.algorithms.iterate import Iterate, LookAhead
from gossip_trainer.errors import RunError
from gossip_trainer.replica.flat import FlatModel, iterate_of
from gossip_trainer.training.moving_average import MovingAverage, decay
from gossip_trainer.training.optimizers import build_optimizer
from gossip_trainer.transport.wire import SnapshotHeader


class Published:
    """Takes what is published, as long as there is room."""

    def __init__(self, room=True):
        self.room, self.taken, self.refused = room, [], 0

    def publish(self, x, header):
        if not self.room:
            self.refused += 1
            return False
        self.taken.append((header, x.copy()))
        return True


def follow(average, points, first=1):
    for step, point in enumerate(points, first):
        average.step_done(Iterate(point), SnapshotHeader(step=step, samples=step))


def points(count, size=7):
    generator = torch.Generator().manual_seed(size)
    return [torch.randn(size, generator=generator, dtype=torch.float64) for _ in range(count)]


def test_the_first_changes_are_greater_than_the_later_ones():
    rates = [decay(0.9, change) for change in range(1, 200)]
    assert rates[:3] == [2 / 11, 3 / 12, 4 / 13]
    assert rates == sorted(rates)
    assert rates[-1] == 0.9


def test_it_follows_x_as_its_definition_says():
    start, *later = points(60)
    average = MovingAverage(Settings(decay=0.8), start, Published())
    follow(average, later)
    expected = start.clone()
    for t, point in enumerate(later, 1):
        d = min(0.8, (1 + t) / (10 + t))
        expected = d * expected + (1 - d) * point
    torch.testing.assert_close(average.vector, expected, rtol=0, atol=1e-14)


def test_every_third_step_it_takes_in_only_that_steps_x():
    start, *later = points(61)
    average = MovingAverage(Settings(decay=0.8, every_steps=3), start, Published())
    follow(average, later)
    sparse = MovingAverage(Settings(decay=0.8), start, Published())
    follow(sparse, later[2::3])
    assert torch.equal(average.vector, sparse.vector)


def test_the_mean_of_the_workers_averages_is_the_average_of_their_means():
    runs = [points(30, size) for size in (5, 5, 5)]
    runs = [[point + rank for point in run] for rank, run in enumerate(runs)]
    averages = [MovingAverage(Settings(decay=0.9), run[0], Published()) for run in runs]
    for average, run in zip(averages, runs, strict=True):
        follow(average, run[1:])
    means = [torch.stack(at).mean(0) for at in zip(*runs, strict=True)]
    of_means = MovingAverage(Settings(decay=0.9), means[0], Published())
    follow(of_means, means[1:])
    mean = torch.stack([average.vector for average in averages]).mean(0)
    torch.testing.assert_close(mean, of_means.vector, rtol=0, atol=1e-14)


def test_of_a_look_ahead_optimizer_it_follows_x_and_not_the_live_parameters():
    live, momentum, follower = (*points(2, 40), points(1, 45)[0])
    live = torch.cat([live, torch.ones(5, dtype=torch.float64)])
    x = live.clone()
    x[:40] += 0.3 * momentum
    expected = torch.lerp(follower, x, 0.25)
    Iterate(live, LookAhead(momentum, 0.3)).drag_(follower, 0.25)
    torch.testing.assert_close(follower, expected, rtol=0, atol=1e-14)


def test_it_is_given_out_at_the_first_step_and_whenever_it_has_changed():
    published = Published()
    follow(
        MovingAverage(Settings(decay=0.8, every_steps=4), torch.zeros(3), published),
        [torch.ones(3)] * 9,
    )
    assert [header.step for header, _ in published.taken] == [1, 4, 8]


def test_where_there_is_no_room_it_is_given_out_at_the_next_step():
    published = Published(room=False)
    average = MovingAverage(Settings(decay=0.8, every_steps=4), torch.zeros(3), published)
    follow(average, [torch.ones(3)] * 4)
    published.room = True
    follow(average, [torch.ones(3)], first=5)
    ((header, vector),) = published.taken
    assert header.step == 5
    assert torch.equal(vector, average.vector)


def test_training_is_the_same_with_and_without_it():
    with_average, without = build_worker(average=Published()), build_worker()
    for worker in (with_average, without):
        for gradient in (0.3, -1.7, 0.01):
            worker.step(gradient)
    assert torch.equal(with_average.x, without.x)


def test_the_final_average_is_given_out_before_the_final_model():
    published = Published()
    worker = build_worker(average=published)
    worker.step(0.3)
    worker.exchange.lose()

    def publish(x, header, inner=worker.snapshots.publish):
        assert published.taken[-1][0].finished
        return inner(x, header)

    worker.snapshots.publish = publish
    worker.finish()
    assert worker.published()[0].finished


def test_a_final_average_that_finds_no_room_in_time_fails_the_worker():
    published = Published()
    worker = build_worker(average=published)
    worker.step(0.3)
    worker.exchange.lose()
    published.room = False
    worker.at_wait = worker.clock.advance
    with pytest.raises(RunError, match="no buffer for the final model"):
        worker.finish()
    assert published.refused > 1


def test_buffers_such_as_batch_norm_statistics_are_averaged_along():
    torch.manual_seed(1)
    model = FlatModel(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)))
    optimizer = build_optimizer(Optimizer(name="sgd", learning_rate=0.1), [model.parameter])
    average = MovingAverage(Settings(decay=0.5), model.vector, Published())
    n = model.layout.num_parameters
    before = average.vector[n:].clone()
    model.module(torch.randn(8, 4))
    average.step_done(iterate_of(model, optimizer), SnapshotHeader(step=9, samples=9))
    expected = torch.lerp(before, model.vector[n:], 0.5)
    torch.testing.assert_close(average.vector[n:], expected)
    assert not torch.equal(average.vector[n:], before)
