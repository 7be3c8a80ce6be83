"""Laws of the parameter server, with real workers and servers over nothing.

Stability. p workers that take turns compute every gradient p - 1 updates before it is used,
c(t+1) = c(t) - e h c(t - D) with delay D = p - 1, and one worker with overlap the same with D = 1.
That is stable if and only if e h < 2 sin(pi / (2 (2 D + 1))): at the limit the characteristic
polynomial z^(D+1) - z^D + e h has its first root on the unit circle, at angle pi / (2 D + 1).

Staleness. With bound s, between reading c at clock k and using its gradient a worker sees every
other go from no less than k - s to no more than k + s + 1, hence (p - 1) (2 s + 1) updates at most.
With overlap it may have read at clock k - 1: (p - 1) (2 s + 2) of the others' and one of its own.
"""

import math
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from in_memory import World

from gossip_trainer.algorithms.effects import Shard
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.algorithms.parameter_server import ParameterServer, ParameterServerShard
from gossip_trainer.algorithms.shards import shard_slices
from gossip_trainer.algorithms.view import make_view


def view_of(ranks):
    return make_view(1, dict.fromkeys(ranks, 0))


def world(
    centre, n, *, learning_rate=0.1, num_parameters=None, shards=1, bound=None, overlap=False
):
    """Workers start at `centre`, which is changed in place; its servers run plain SGD."""
    size = len(centre)
    num_parameters = size if num_parameters is None else num_parameters
    parts = shard_slices(size, shards)

    def serve(part):
        live, num = centre[part], max(0, min(part.stop, num_parameters) - part.start)
        return ParameterServerShard(
            live,
            num,
            lambda gradient: live[:num].sub_(gradient, alpha=learning_rate),
            iterate=lambda: Iterate(live),
            share=1 / n,
            max_staleness=bound,
            view=view_of(range(n)),
        )

    return World(
        [
            ParameterServer(rank, view_of(range(n)), parts, num_parameters, overlap=overlap)
            for rank in range(n)
        ],
        centre.repeat(n, 1),
        {shard: serve(part) for shard, part in parts.items()},
        num_parameters=num_parameters,
    )


def quadratic(x):
    return x.clone()


def constant(x):
    return torch.ones_like(x)


def random_vector(size):
    return torch.randn(size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


# Stability with delayed gradients.


def growth_of_turns(p, step, *, turns=1500):
    """How much longer c becomes while p workers take turns at f = x^2 / 2."""
    centre = random_vector(4)
    start = float(centre.norm())
    served = world(centre, p, learning_rate=step)
    for rank in served.workers:
        served.begin_step(rank, quadratic)
    for turn in range(turns):
        rank = turn % p
        for _ in ("gradient", "answer"):
            served.arrive(next(m for m in served.under_way if m.rank == rank))
        served.begin_step(rank, quadratic)
    return float(centre.norm()) / start


def stability_limit(delay):
    return 2 * math.sin(math.pi / (2 * (2 * delay + 1)))


@pytest.mark.parametrize("p", [1, 2, 3, 5])
def test_workers_that_take_turns_are_stable_up_to_the_limit_of_delayed_sgd_and_not_beyond(p):
    limit = stability_limit(p - 1)
    assert growth_of_turns(p, 0.98 * limit) < 0.5
    assert growth_of_turns(p, 1.02 * limit) > 2.0


def test_one_more_worker_than_was_stable_is_not_stable():
    rate = 0.5 * (stability_limit(1) + stability_limit(2))
    assert growth_of_turns(2, rate) < 0.5
    assert growth_of_turns(3, rate) > 2.0


def growth_with_overlap(step, *, steps=1500):
    centre = random_vector(4)
    start = float(centre.norm())
    served = world(centre, 1, learning_rate=step, overlap=True)
    for _ in range(steps):
        served.step(0, quadratic)
    return float(centre.norm()) / start


def test_one_worker_with_overlap_is_stable_up_to_the_limit_with_one_step_of_delay():
    assert growth_with_overlap(0.98 * stability_limit(1)) < 0.5
    assert growth_with_overlap(1.02 * stability_limit(1)) > 2.0


def test_one_worker_alone_follows_plain_sgd_with_overlap_it_is_one_update_behind():
    def points(overlap):
        centre, seen = torch.ones(1, dtype=torch.float64), []
        served = world(centre, 1, learning_rate=0.1, overlap=overlap)
        for _ in range(5):
            served.step(0, quadratic)
            seen.append(float(centre[0]))
        return seen

    plain = [0.9**step for step in range(1, 6)]
    assert points(overlap=False) == pytest.approx(plain)
    delayed = [1.0, 1.0]
    while len(delayed) < 6:
        delayed.append(delayed[-1] - 0.1 * delayed[-2])
    assert points(overlap=True) == pytest.approx(delayed[1:])


# Every gradient once, and no older than the bound allows.


class Run:
    """Workers under a staleness bound, in an order that Hypothesis draws."""

    def __init__(self, data, *, leavers):
        self.data = data
        self.n = data.draw(st.integers(1, 4), "workers")
        self.bound = data.draw(st.none() | st.integers(0, 2), "bound")
        self.overlap = data.draw(st.booleans(), "overlap")
        self.centre = torch.zeros(48, dtype=torch.float64)
        self.start = self.centre.clone()
        self.served = world(
            self.centre,
            self.n,
            learning_rate=1.0,
            shards=data.draw(st.integers(1, 2), "shards"),
            bound=self.bound,
            overlap=self.overlap,
        )
        self.leavers = leavers
        self.versions = dict.fromkeys(self.served.servers, 0)

    def training(self):
        """Those that have neither finished nor gone."""
        return [r for r, worker in self.served.workers.items() if not worker.has_finished]

    def moves(self):
        free = [rank for rank in self.training() if not self.served.workers[rank].is_blocked]
        return [*free, *self.served.under_way]

    def play(self, most):
        for _ in range(self.data.draw(st.integers(1, most), "moves")):
            moves = self.moves()
            assert moves, "everybody waits for nothing"
            self.move(moves[self.data.draw(st.integers(0, len(moves) - 1), "move")])

    def move(self, move):
        if not isinstance(move, int):
            self.served.arrive(move)
        elif self.leavers and len(self.training()) > 1 and self.data.draw(st.booleans()):
            self.leave(move, says_farewell=self.data.draw(st.booleans(), "farewell"))
        else:
            self.served.begin_step(move, constant)
        self.check()

    def leave(self, rank, *, says_farewell):
        if says_farewell:
            self.served.finish(rank)
            return
        del self.served.workers[rank]
        self.served.look_around(view_of(self.served.workers))

    def check(self):
        for shard, server in self.served.servers.items():
            assert server.version >= self.versions[shard]
            self.versions[shard] = server.version
            assert server.staleness <= self.most_stale()

    def most_stale(self):
        if self.bound is None:
            return math.inf
        others, overlap = self.n - 1, int(self.overlap)
        return others * (2 * self.bound + 1 + overlap) + overlap

    def run_dry(self):
        """Let all that is under way arrive, and whoever can go on finish its step."""
        while self.served.under_way:
            self.served.arrive(self.served.under_way[0])
            self.check()


@settings(deadline=None)
@given(data=st.data())
def test_no_gradient_is_staler_than_the_bound_allows(data):
    Run(data, leavers=False).play(most=60)


@settings(deadline=None)
@given(data=st.data())
def test_every_gradient_is_used_once_and_every_version_is_a_gradient(data):
    run = Run(data, leavers=False)
    run.play(most=40)
    run.run_dry()
    parts = shard_slices(48, len(run.served.servers))
    for shard, server in run.served.servers.items():
        assert max(Counter(run.served.taken[shard]).values(), default=1) == 1
        assert server.version == len(run.served.taken[shard])
        expected = torch.full_like(run.centre[parts[shard]], -float(server.version))
        assert torch.equal(run.centre[parts[shard]], expected)


@settings(deadline=None)
@given(data=st.data())
def test_whoever_leaves_nobody_waits_for_ever(data):
    run = Run(data, leavers=True)
    run.play(most=30)
    run.run_dry()
    for _ in range(3):
        for rank in run.training():
            if not run.served.workers[rank].is_blocked:
                run.served.begin_step(rank, constant)
        run.run_dry()
    slowest = min(run.training(), key=lambda rank: run.served.workers[rank].steps)
    assert not run.served.workers[slowest].is_blocked


def test_the_bound_is_reached():
    # Two workers, bound 1: one goes ahead by one step and one more is used on the way.
    def most_stale(bound):
        served = world(torch.zeros(8, dtype=torch.float64), 2, bound=bound)
        served.begin_step(1, constant)  # computed at version 0 and long on its way
        slow = served.under_way[0]
        while not served.workers[0].is_blocked:
            served.begin_step(0, constant)
            while fast := [m for m in served.under_way if m is not slow]:
                served.arrive(fast[0])
        served.arrive(slow)
        return served.servers[Shard(0)].staleness

    assert [most_stale(bound) for bound in (0, 1, 2)] == [1, 2, 3]


def test_with_bound_zero_workers_advance_in_step():
    served = world(torch.zeros(8, dtype=torch.float64), 3, bound=0)
    for step in range(1, 4):
        for rank in served.workers:
            served.begin_step(rank, constant)
        while served.under_way:
            assert max(worker.steps for worker in served.workers.values()) <= step
            served.arrive(served.under_way[0])
        assert [worker.steps for worker in served.workers.values()] == [step] * 3


def test_buffers_approach_the_mean_of_the_workers_and_never_leave_their_range():
    centre = torch.tensor([0.0] * 16 + [0.0, 10.0], dtype=torch.float64)
    served = world(centre, 2, num_parameters=16)
    for _ in range(40):
        for rank, worker in served.workers.items():
            worker.live[16:] = torch.tensor([float(rank), 10.0])
            served.step(rank, lambda x: torch.zeros(16, dtype=torch.float64))
    # Turns with share 1/2: the last to come weighs 2/3 and the one before it 1/3.
    torch.testing.assert_close(centre[16:], torch.tensor([2 / 3, 10.0], dtype=torch.float64))


def test_servers_of_a_part_each_are_together_one_server():
    def train(shards):
        centre = random_vector(48)
        served = world(centre, 3, num_parameters=40, shards=shards)
        for _ in range(10):
            for rank in served.workers:
                served.step(rank, lambda x: x[:40].clone())
        return centre

    assert torch.equal(train(1), train(2))
