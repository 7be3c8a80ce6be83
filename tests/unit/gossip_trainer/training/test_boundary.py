"""The step boundary over an exchange in memory: what happens in which order, and when it ends."""

import threading
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from gossip_api.names import Role
from gossip_api.training import Budget, Optimizer
from gossip_trainer.algorithms.all_reduce import AllReduce
from gossip_trainer.algorithms.base import Algorithm
from gossip_trainer.algorithms.effects import Fetch, Loss, Message
from gossip_trainer.algorithms.pull_gossip import PullGossip
from gossip_trainer.errors import RunError
from gossip_trainer.membership.peers import Peers
from gossip_trainer.membership.roster import Endpoint, Roster
from gossip_trainer.progress.budget import BudgetMeter
from gossip_trainer.progress.ledger import StopReason
from gossip_trainer.progress.shared import JobProgress
from gossip_trainer.replica.flat import FlatModel
from gossip_trainer.replica.snapshots import Snapshots
from gossip_trainer.training.boundary import Limits, Links, StepBoundary
from gossip_trainer.training.collective import Agreement
from gossip_trainer.training.exchange import Arrived, Lost
from gossip_trainer.training.optimizers import build_optimizer

ALWAYS_ONE = 0.75  # of two ranks, a stream that gives this draws rank 1
MUCH = Budget(samples=10**9)


class Stream:
    def random(self):
        return ALWAYS_ONE


class Clock:
    def __init__(self, now=1000.0):
        self.now = now

    def __call__(self):
        return self.now

    def advance(self, seconds):
        self.now += seconds


class FakeExchange:
    """Fetches end when the test says so; `at_wait` runs when somebody waits."""

    def __init__(self):
        self.busy, self.outcome, self.begun = False, None, []
        self.at_wait = lambda: None

    def begin(self, fetch, peer):
        assert not self.busy
        self.busy = True
        self.begun.append((fetch, peer.name))

    def arrive(self, vector, step=0, *, finished=False):
        fetch, name = self.begun[-1]
        self.outcome = Arrived(fetch, name, Message(vector, step), finished)

    def lose(self, reason="it hung up", *, suspect=True):
        fetch, name = self.begun[-1]
        self.outcome = Lost(fetch, name, reason, suspect)

    def collect(self, wait_seconds=0.0):
        if wait_seconds:
            self.at_wait()
        outcome, self.outcome = self.outcome, None
        self.busy = self.busy and outcome is None
        return outcome


@dataclass
class Journal:
    """An observer that writes down what it sees, with the parts of a boundary that are fakes."""

    entries: list = field(default_factory=list)

    def stepped(self, boundary):
        self.entries.append("stepped")

    def exchange_lost(self, peer, step, reason):
        self.entries.append(("lost", peer, step, reason))

    def view_changed(self, view):
        self.entries.append(("view", view.ranks))


@dataclass
class Worker:
    """A boundary with everything around it."""

    boundary: StepBoundary
    model: FlatModel
    optimizer: torch.optim.Optimizer
    snapshots: Snapshots
    exchange: FakeExchange
    peers: Peers
    progress: JobProgress
    journal: Journal
    clock: Clock
    wall: Clock

    def step(self, gradient=0.0):
        self.model.gradient.fill_(gradient)
        self.boundary.gradient_ready(samples=8)
        self.optimizer.step()
        return self.boundary.step_done(loss=0.5)

    def published(self):
        pin = self.snapshots.pin()
        try:
            return pin.header, pin.vector.clone()
        finally:
            pin.release()

    @property
    def x(self):
        return self.model.vector

    def peer_model(self, value):
        return torch.full_like(self.x, value)


def others(*ranks):
    return Roster(tuple(Endpoint(Role.WORKER, rank, 0, "10.0.0.1", rank) for rank in ranks))


def gossip(**settings):
    return lambda rank, view: PullGossip(rank, view, Stream(), **settings)


@pytest.fixture
def build():
    def build(algorithm=None, *, rank=0, budget=MUCH, collective=None, roster=None, **limits):
        torch.manual_seed(1)
        model = FlatModel(nn.Linear(16, 8))
        settings = Optimizer(name="sgd", learning_rate=0.5)
        optimizer = build_optimizer(settings, [model.parameter])
        clock, wall = Clock(), Clock(5000.0)
        progress = JobProgress(clock)
        progress.begin(rank, 0, wall.now)
        roster = roster or [others(0, 1)]
        peers = Peers(rank, 0, lambda: roster[0])
        peers.refresh(clock.now)
        journal, exchange, snapshots = Journal(), FakeExchange(), Snapshots(model.layout)
        boundary = StepBoundary(
            f"worker-{rank}-0",
            algorithm=(algorithm or gossip())(rank, peers.view),
            model=model,
            optimizer=optimizer,
            links=Links(snapshots, peers, exchange, progress, collective),
            limits=Limits(BudgetMeter(budget, epoch_samples=100, steps_samples=16), **limits),
            observer=journal,
            clock=clock,
            wall_clock=wall,
        )
        parts = (model, optimizer, snapshots, exchange, peers, progress, journal, clock, wall)
        return Worker(boundary, *parts)

    return build


# Order


def test_x_is_published_then_what_arrived_is_delivered_then_the_algorithm_is_asked(build):
    calls = []

    class Spy(Algorithm):
        def on_gradient(self, x, gradient):
            calls.append("on_gradient")
            return ()

        def on_step(self, x):
            calls.append(("on_step", worker.published()[0].step))
            return (Fetch(1),)

        def on_message(self, sender, message, x):
            calls.append(("on_message", worker.published()[0].step, sender, message.step))
            return ()

    worker = build(Spy)
    worker.step()
    worker.exchange.arrive(worker.peer_model(1.0), step=7)
    worker.step()
    assert calls == [
        "on_gradient",
        ("on_step", 1),
        "on_gradient",
        ("on_message", 2, 1, 7),
        ("on_step", 2),
    ]


def test_the_published_x_is_that_after_the_own_step_and_before_mixing(build):
    worker = build()
    worker.step()
    after_one = worker.x.clone()
    worker.exchange.arrive(worker.peer_model(100.0))
    worker.step(gradient=2.0)
    header, vector = worker.published()
    n = worker.model.layout.num_parameters
    assert (header.step, header.samples, header.loss) == (2, 16, 0.5)
    torch.testing.assert_close(vector[:n], after_one[:n] - 0.5 * 2.0)
    torch.testing.assert_close(worker.x, (vector + 100.0) / 2)


def test_with_overlap_a_step_never_waits_and_mixes_at_the_first_boundary_after_arrival(build):
    worker = build()
    worker.exchange.at_wait = lambda: pytest.fail("waited")
    worker.step()
    before = worker.x.clone()
    worker.step()
    assert torch.equal(worker.x, before)
    worker.exchange.arrive(worker.peer_model(3.0))
    worker.step()
    torch.testing.assert_close(worker.x, (before + 3.0) / 2)


def test_without_overlap_the_peers_model_is_mixed_in_before_the_step_returns(build):
    worker = build(gossip(overlap=False))
    worker.exchange.at_wait = lambda: worker.exchange.arrive(worker.peer_model(3.0), step=1)
    before = worker.x.clone()
    assert worker.step()
    torch.testing.assert_close(worker.x, (before + 3.0) / 2)
    assert torch.equal(worker.published()[1], before)
    assert not worker.exchange.busy


def test_a_wait_goes_on_over_many_slices_of_time(build):
    worker, slices = build(gossip(overlap=False)), []

    def at_wait():
        slices.append(1)
        if len(slices) == 5:
            worker.exchange.arrive(worker.peer_model(3.0))

    worker.exchange.at_wait = at_wait
    worker.step()
    assert (len(slices), worker.boundary.counters.exchanges) == (5, 1)


def test_a_wait_is_cut_short_by_the_end_of_the_job(build):
    worker = build(gossip(overlap=False))
    worker.exchange.at_wait = lambda: worker.progress.end(StopReason.TARGET, "x", at=1.0)
    assert not worker.step()
    assert worker.boundary.counters.exchanges == 0


def test_alone_a_worker_is_plain_sgd_to_the_bit(build):
    worker = build(gossip(overlap=False), roster=[others(0)])
    plain = nn.Parameter(worker.model.parameter.detach().clone())
    reference = torch.optim.SGD([plain], lr=0.5)
    for gradient in (0.3, -1.7, 0.01):
        plain.grad = torch.full_like(plain, gradient)
        reference.step()
        worker.step(gradient)
    assert torch.equal(worker.model.parameter, plain)
    assert worker.exchange.begun == []


# Cost


class FullSizeOperations(TorchDispatchMode):
    """Notes the operations that touch a tensor of at least `size` elements."""

    def __init__(self, size):
        super().__init__()
        self.size, self.names = size, []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        tensors = [a for a in (*args, *(kwargs or {}).values()) if isinstance(a, torch.Tensor)]
        if any(tensor.numel() >= self.size for tensor in tensors):
            self.names.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def test_publishing_is_one_pass_over_the_vector_and_mixing_is_one_more(build):
    worker = build()
    worker.step()
    with FullSizeOperations(worker.x.numel()) as publishing:
        worker.boundary.step_done(0.5)
    worker.exchange.arrive(worker.peer_model(3.0))
    with FullSizeOperations(worker.x.numel()) as mixing:
        worker.boundary.step_done(0.5)
    assert publishing.names == ["copy_"]
    assert mixing.names == ["copy_", "lerp_"]


# Losses and views


def test_a_lost_exchange_is_counted_reported_and_told_to_algorithm_and_peers(build):
    told = []

    class Spy(PullGossip):
        def on_lost(self, effect, reason):
            told.append((effect, reason))
            return super().on_lost(effect, reason)

    worker = build(lambda rank, view: Spy(rank, view, Stream()))
    worker.step()
    before = worker.x.clone()
    worker.exchange.lose("it hung up")
    assert worker.step()
    assert told == [(Fetch(1), Loss.PEER)]
    assert ("lost", "worker-1-0", 2, "it hung up") in worker.journal.entries
    assert ("view", (0,)) in worker.journal.entries
    assert (worker.boundary.counters.lost, worker.boundary.counters.exchanges) == (1, 0)
    assert torch.equal(worker.x, before)


def test_a_loss_that_is_no_fault_of_the_peer_leaves_it_in_the_view(build):
    worker = build()
    worker.step()
    worker.exchange.lose("nothing published yet", suspect=False)
    worker.step()
    assert worker.boundary.view.ranks == (0, 1)
    assert worker.boundary.counters.lost == 1


def test_a_fetch_is_skipped_and_counted_while_the_one_before_is_under_way(build):
    worker = build()
    for _ in range(4):
        worker.step()
    assert len(worker.exchange.begun) == 1
    assert worker.boundary.counters.skipped == 3


def test_a_fetch_from_a_peer_that_has_left_is_told_to_the_algorithm_and_not_begun(build):
    lost = []

    class Stubborn(Algorithm):
        def on_step(self, x):
            return (Fetch(7),)

        def on_lost(self, effect, reason):
            lost.append((effect, reason))
            return ()

    worker = build(Stubborn)
    assert worker.step()
    assert worker.exchange.begun == []
    assert lost == [(Fetch(7), Loss.PEER)]


def test_a_new_member_is_told_to_algorithm_and_observer(build):
    roster = [others(0, 1)]
    worker = build(roster=roster)
    worker.step()
    assert worker.journal.entries == ["stepped"]
    roster[0] = others(0, 1, 2)
    worker.step()
    assert worker.journal.entries == ["stepped", ("view", (0, 1, 2)), "stepped"]
    assert worker.boundary._algorithm.view.ranks == (0, 1, 2)


def test_a_peer_that_has_finished_is_mixed_in_and_left_out_after_a_while(build):
    worker = build()
    worker.step()
    worker.exchange.arrive(worker.peer_model(1.0), finished=True)
    worker.step()
    assert worker.boundary.counters.exchanges == 1
    assert worker.boundary.view.ranks == (0, 1)
    worker.clock.now += 5.0
    worker.step()
    assert worker.boundary.view.ranks == (0,)


def test_exchanges_bytes_and_staleness_are_counted(build):
    worker = build()
    for step in (1, 2):
        worker.step()
        worker.exchange.arrive(worker.peer_model(1.0), step=step - 2)
    worker.step()
    counters = worker.boundary.counters
    assert (counters.steps, counters.exchanges, counters.staleness_sum) == (3, 2, 3 + 3)
    assert counters.received_bytes == 2 * worker.model.layout.num_bytes
    assert counters.loss_sum == 1.5


def test_a_step_that_readers_left_no_buffer_for_is_counted_and_training_goes_on(build):
    worker = build()
    for _ in range(2):
        worker.step()
        worker.snapshots.pin()
    worker.step()
    assert worker.boundary.counters.unpublished == 0
    assert worker.step()
    assert worker.boundary.counters.unpublished == 1
    assert worker.published()[0].step == 3


# The end


def steps_until_the_end(worker, limit=50):
    return next(step for step in range(1, limit) if not worker.step())


@pytest.mark.parametrize(
    ("budget", "steps"), [(Budget(samples=20), 3), (Budget(samples=24), 3), (Budget(epochs=0.4), 5)]
)
def test_the_worker_that_uses_the_budget_up_ends_the_job_for_all(build, budget, steps):
    worker = build(budget=budget)
    assert steps_until_the_end(worker) == steps
    stop = worker.progress.stop
    assert (stop.reason, stop.by, stop.at) == (StopReason.BUDGET, "worker-0-0", 5000.0)


def test_samples_of_others_use_the_budget_up_too(build):
    worker, other = build(budget=Budget(samples=100)), JobProgress(Clock())
    other.begin(1, 0, 5000.0)
    other.count(84)
    worker.progress.receive("worker-1-0", other.send())
    assert (worker.boundary.job_samples, worker.boundary.own_samples) == (84, 0)
    assert steps_until_the_end(worker) == 2
    assert worker.boundary.epoch == 1.0


def test_a_budget_of_seconds_counts_from_the_first_workers_beginning(build):
    worker = build(budget=Budget(seconds=10.0))
    worker.wall.now += 9.9
    assert worker.step()
    worker.wall.now += 0.1
    assert not worker.step()
    assert worker.progress.stop.reason is StopReason.BUDGET


def test_a_budget_of_steps_ends_this_worker_and_nobody_else(build):
    worker = build(budget=Budget(steps_per_worker=4))
    assert steps_until_the_end(worker) == 4
    assert worker.progress.stop is None


def test_the_active_deadline_ends_the_job(build):
    worker = build(active_deadline=timedelta(minutes=1))
    worker.wall.now += 59.0
    assert worker.step()
    worker.wall.now += 1.0
    assert not worker.step()
    assert worker.progress.stop.reason is StopReason.DEADLINE


def test_a_stop_that_somebody_else_recorded_ends_this_worker(build):
    worker = build()
    assert worker.step()
    worker.progress.end(StopReason.TARGET, "evaluator-0-0", at=5000.0)
    assert not worker.step()


def test_a_worker_that_is_to_leave_ends_after_its_step_and_the_job_goes_on(build):
    worker = build()
    worker.boundary.leave()
    assert not worker.step()
    assert worker.progress.stop is None


def test_the_final_model_is_published_as_finished(build):
    worker = build()
    worker.step(gradient=1.0)
    worker.boundary.finish()
    header, vector = worker.published()
    assert (header.step, header.samples, header.finished) == (1, 8, True)
    assert torch.equal(vector, worker.x)


def test_a_final_model_that_readers_leave_no_buffer_for_is_an_error_in_the_end(build):
    worker = build()
    for _ in range(3):
        worker.step()
        worker.snapshots.pin()

    def later():
        worker.clock.now += 20.0
        return worker.clock.now

    worker.boundary._clock = later
    with pytest.raises(RunError, match="worker-0-0: no buffer for the final model"):
        worker.boundary.finish()


# Agreement of a collective


class Meeting:
    """The place where the threads of a test average their vectors."""

    def __init__(self, size):
        self._barrier = threading.Barrier(size, timeout=2.0)
        self._given = {}

    def member(self, name):
        return Attendant(self, name)

    def average(self, name, given):
        self._given[name] = given
        self._barrier.wait()
        vectors, samples, stops = zip(*self._given.values(), strict=True)
        mean, agreement = torch.stack(vectors).mean(dim=0), Agreement(sum(samples), any(stops))
        self._barrier.wait()
        return mean, agreement


class Attendant:
    def __init__(self, meeting, name):
        self._meeting, self._name = meeting, name
        self.afterwards = lambda: None

    def begin(self, vector, *, samples, stop):
        self._vector, self._given = vector, (vector.clone(), samples, stop)

    def wait(self):
        mean, agreement = self._meeting.average(self._name, self._given)
        self._vector.copy_(mean)
        self.afterwards()
        return agreement


@pytest.fixture
def run_together(build):
    """Run two all-reduce workers to their end, and return them with their number of steps."""

    def run(budget=MUCH, *, after_step=lambda workers, rank, step: None, pace=(0, 0), **limits):
        meeting, workers, steps = Meeting(2), [], [0, 0]
        for rank in range(2):
            collective = meeting.member(rank)
            limits |= {"budget": budget, "collective": collective}
            workers.append(build(AllReduce, rank=rank, **limits))
            collective.afterwards = partial(workers[rank].wall.advance, pace[rank])

        def train(rank):
            going = True
            while going:
                try:
                    going = workers[rank].step(gradient=float(rank))
                except threading.BrokenBarrierError:
                    going = False  # in a step that the other one does not take
                steps[rank] += 1
                after_step(workers, rank, steps[rank])

        threads = [threading.Thread(target=train, args=(rank,)) for rank in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return workers, steps

    return run


def test_all_members_of_a_collective_count_the_same_samples_and_stop_at_the_same_step(run_together):
    workers, steps = run_together(Budget(samples=70))
    assert steps == [5, 5]  # 16 samples a step
    assert [worker.boundary.job_samples for worker in workers] == [80, 80]
    assert torch.equal(workers[0].x, workers[1].x)


def test_all_members_of_a_collective_step_with_the_mean_gradient(run_together):
    workers, _ = run_together(Budget(steps_per_worker=2))
    torch.manual_seed(1)
    start = FlatModel(nn.Linear(16, 8))
    n = start.layout.num_parameters
    torch.testing.assert_close(workers[0].x[:n], start.vector[:n] - 2 * 0.5 * 0.5)


def end_in_step_3(workers, rank, step):
    if (rank, step) == (1, 3):
        workers[1].progress.end(StopReason.TARGET, "evaluator-0-0", at=1.0)


def leave_in_step_3(workers, rank, step):
    if (rank, step) == (1, 3):
        workers[1].boundary.leave()


@pytest.mark.parametrize("event", [end_in_step_3, leave_in_step_3])
def test_what_only_one_member_knows_stops_all_at_the_same_step(run_together, event):
    _, steps = run_together(after_step=event)
    assert steps == [4, 4]


@pytest.mark.parametrize(
    "limit", [{"active_deadline": timedelta(seconds=3)}, {"budget": Budget(seconds=3.0)}]
)
def test_clocks_that_differ_stop_all_at_the_same_step(run_together, limit):
    _, steps = run_together(**limit, pace=(1.0, 0.6))
    assert steps[0] == steps[1]
    assert 3 <= steps[0] <= 5
