"""The step boundary over an exchange in memory: what happens in which order, and how it ends."""

from datetime import timedelta

import pytest
import torch
from lone_worker import LEARNING_RATE, Stream, build_worker, gossip, members
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from gossip_api.topology import Topology
from gossip_api.training import Budget
from gossip_trainer.algorithms.all_reduce import AllReduce
from gossip_trainer.algorithms.base import Algorithm
from gossip_trainer.algorithms.effects import Fetch, Loss, Send, Shard
from gossip_trainer.algorithms.local_sgd import LocalSGD
from gossip_trainer.algorithms.pairwise import Pairwise
from gossip_trainer.algorithms.pull_gossip import PullGossip
from gossip_trainer.algorithms.push_sum import PushSum
from gossip_trainer.algorithms.selection import PeerSelection
from gossip_trainer.errors import CollectiveError, RunError
from gossip_trainer.progress.ledger import StopReason
from gossip_trainer.training import boundary as module
from gossip_trainer.training.boundary import Turn
from gossip_trainer.training.collective import Agreement
from gossip_trainer.training.news import drive

# Order


def test_x_is_published_then_what_arrived_is_delivered_then_the_algorithm_is_asked():
    calls = []

    class Spy(Algorithm):
        def before_step(self, x):
            calls.append("before_step")

        def on_gradient(self, x, gradient):
            calls.append("on_gradient")
            return ()

        def on_step(self, x):
            calls.append(("on_step", worker.published()[0].step))
            return (Fetch(1),) if self.idle else ()

        def on_answer(self, effect, message, x):
            calls.append(("on_answer", worker.published()[0].step, effect.peer, message.step))
            return ()

        def on_message(self, sender, message, x):
            calls.append(("on_message", worker.published()[0].step, sender, message.step))
            return ()

    worker = build_worker(Spy)
    worker.step()
    worker.exchange.arrive(worker.filled(1.0), step=7)
    worker.letters.put("worker-1-0", worker.filled(1.0), step=5)
    worker.step()
    assert calls == [
        *("before_step", "on_gradient", ("on_step", 1)),
        *("before_step", "on_gradient"),
        ("on_answer", 2, 1, 7),
        ("on_message", 2, 1, 5),
        ("on_step", 2),
    ]


def test_the_published_x_is_that_after_the_own_step_and_before_mixing():
    worker = build_worker()
    worker.step()
    after_one = worker.x.clone()
    worker.exchange.arrive(worker.filled(100.0))
    worker.step(gradient=2.0)
    header, vector = worker.published()
    n = worker.model.layout.num_parameters
    assert (header.step, header.samples, header.loss) == (2, 16, 0.5)
    torch.testing.assert_close(vector[:n], after_one[:n] - LEARNING_RATE * 2.0)
    torch.testing.assert_close(worker.x, (vector + 100.0) / 2)


def test_with_overlap_a_step_never_waits_and_mixes_at_the_first_boundary_after_arrival():
    worker = build_worker()
    worker.step()
    before = worker.x.clone()
    worker.step()
    assert torch.equal(worker.x, before)
    worker.exchange.arrive(worker.filled(3.0))
    worker.step()
    torch.testing.assert_close(worker.x, (before + 3.0) / 2)


def test_without_overlap_the_peers_model_is_mixed_in_before_the_step_returns():
    worker = build_worker(gossip(overlap=False))
    worker.at_wait = lambda _: worker.exchange.arrive(worker.filled(3.0), step=1)
    before = worker.x.clone()
    assert worker.step()
    torch.testing.assert_close(worker.x, (before + 3.0) / 2)
    assert torch.equal(worker.published()[1], before)
    assert not worker.exchange.busy


def test_alone_a_worker_is_plain_sgd_to_the_bit():
    worker = build_worker(gossip(overlap=False), roster=[members(0)])
    plain = nn.Parameter(worker.model.parameter.detach().clone())
    reference = torch.optim.SGD([plain], lr=LEARNING_RATE)
    for gradient in (0.3, -1.7, 0.01):
        plain.grad = torch.full_like(plain, gradient)
        reference.step()
        worker.step(gradient)
    assert torch.equal(worker.model.parameter, plain)
    assert worker.exchange.begun == []


def test_the_algorithm_knows_when_it_is_asked_whether_an_exchange_could_begin():
    idle = []

    class Spy(Algorithm):
        def on_gradient(self, x, gradient):
            idle.append(("gradient", self.idle))
            return (Fetch(1),) if self.idle else ()

        def on_step(self, x):
            idle.append(("step", self.idle))
            return ()

    worker = build_worker(Spy)
    worker.step()
    worker.exchange.arrive(worker.filled(1.0))
    worker.step()
    # What has arrived but was not collected keeps the exchange busy until the boundary.
    assert idle == [("gradient", True), ("step", False), ("gradient", False), ("step", True)]


def test_one_that_exchanges_on_the_gradient_is_brought_what_has_come_before_that_as_well():
    told = []

    class Spy(Algorithm):
        exchanges_on_gradient = True

        def on_gradient(self, x, gradient):
            told.append(("gradient", self.idle))
            return (Fetch(1),)

        def on_answer(self, effect, message, x):
            told.append("answer")
            return ()

    worker = build_worker(Spy)
    worker.step()
    worker.exchange.arrive(worker.filled(1.0))
    worker.step()
    assert told == [("gradient", True), "answer", ("gradient", True)]


def test_whether_the_worker_steps_itself_is_the_algorithms_word():
    class Served(Algorithm):
        steps_locally = False

    assert not build_worker(Served).boundary.steps_locally
    assert build_worker().boundary.steps_locally


def test_a_late_worker_counts_on_from_the_step_of_the_model_it_copied():
    worker = build_worker(first_step=40)
    worker.step()
    assert worker.boundary.counters.steps == 41
    assert worker.published()[0].step == 41
    assert worker.exchange.begun[0].step == 41


# Cost


class FullSizeOperations(TorchDispatchMode):
    """Notes the operations that touch a tensor of at least `size` elements."""

    def __init__(self, size):
        super().__init__()
        self.size, self.names = size, []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        tensors = [a for a in (*args, *(kwargs or {}).values()) if isinstance(a, torch.Tensor)]
        is_view = func.overloadpacket.__name__ == "slice"  # it passes over nothing
        if not is_view and any(tensor.numel() >= self.size for tensor in tensors):
            self.names.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def operations_of_a_boundary(worker):
    with FullSizeOperations(worker.x.numel()) as operations:
        for _ in worker.boundary.step_done(0.5):
            pytest.fail("waited")
    return operations.names


def test_publishing_is_one_pass_over_the_vector_and_mixing_is_one_more():
    worker = build_worker()
    worker.step()
    publishing = operations_of_a_boundary(worker)
    worker.exchange.arrive(worker.filled(3.0))
    assert publishing == ["copy_"]
    assert operations_of_a_boundary(worker) == ["copy_", "lerp_"]


# Losses and views


def test_a_lost_exchange_is_counted_reported_and_told_to_algorithm_and_peers():
    told = []

    class Spy(PullGossip):
        def on_lost(self, effect, reason, x):
            told.append((effect, reason))
            return super().on_lost(effect, reason, x)

    selection = PeerSelection(Topology(), "Uniform", seed=1)
    worker = build_worker(lambda rank, view: Spy(rank, view, selection, Stream()))
    worker.step()
    before = worker.x.clone()
    worker.exchange.lose("it hung up")
    assert worker.step()
    assert told == [(Fetch(1), Loss.PEER)]
    assert ("lost", "worker-1-0", 2, "it hung up") in worker.journal.entries
    assert ("view", (0,)) in worker.journal.entries
    assert (worker.boundary.counters.lost, worker.boundary.counters.exchanges) == (1, 0)
    assert torch.equal(worker.x, before)


def test_a_loss_that_is_no_fault_of_the_peer_leaves_it_in_the_view():
    worker = build_worker()
    worker.step()
    worker.exchange.lose("nothing published yet", suspect=False)
    worker.step()
    assert worker.boundary.view.ranks == (0, 1)
    assert worker.boundary.counters.lost == 1


def test_a_new_member_is_told_to_algorithm_and_observer():
    roster = [members(0, 1)]
    worker = build_worker(roster=roster)
    worker.step()
    assert worker.journal.entries == ["stepped"]
    roster[0] = members(0, 1, 2)
    worker.step()
    assert worker.journal.entries == ["stepped", ("view", (0, 1, 2)), "stepped"]
    assert worker.algorithm.view.ranks == (0, 1, 2)


def finish_by_a_snapshot(worker):
    worker.exchange.arrive(worker.filled(1.0), finished=True)


def finish_by_a_refusal(worker):
    worker.exchange.lose("it has finished", suspect=False, finished=True)


@pytest.mark.parametrize("finish", [finish_by_a_snapshot, finish_by_a_refusal])
def test_a_peer_that_has_finished_is_left_out_after_a_while(finish):
    worker = build_worker()
    worker.step()
    finish(worker)
    worker.step()
    assert worker.boundary.view.ranks == (0, 1)
    worker.clock.advance(5.0)
    worker.step()
    assert worker.boundary.view.ranks == (0,)


def test_a_peer_that_answers_is_no_longer_suspected():
    worker = build_worker()
    worker.peers.lost("worker-1-0", worker.clock.now - 10.0)
    worker.step()
    worker.exchange.arrive(worker.filled(1.0))
    worker.step()
    worker.peers.lost("worker-1-0", worker.clock.now)
    worker.peers.refresh(worker.clock.now)
    worker.clock.advance(1.0)  # the first loss of a row, not the second
    worker.peers.refresh(worker.clock.now)
    assert worker.boundary.view.ranks == (0, 1)


def test_a_step_that_readers_left_no_buffer_for_is_counted_and_training_goes_on():
    worker = build_worker()
    for _ in range(2):
        worker.step()
        worker.snapshots.pin()
    worker.step()
    assert worker.boundary.counters.unpublished == 0
    assert worker.step()
    assert worker.boundary.counters.unpublished == 1
    assert worker.published()[0].step == 3


def test_losses_that_are_not_finite_are_counted_and_not_summed():
    worker = build_worker()
    for loss in (0.5, float("nan"), float("inf"), 1.5):
        worker.step(loss=loss)
    counters = worker.boundary.counters
    assert (counters.steps, counters.loss_sum, counters.nonfinite) == (4, 2.0, 2)


# The end


def test_the_final_model_is_published_as_finished():
    worker = build_worker()
    worker.step(gradient=1.0)
    worker.exchange.arrive(worker.filled(1.0))
    worker.finish()
    header, vector = worker.published()
    assert (header.step, header.samples, header.finished, header.loss) == (1, 8, True, None)
    assert torch.equal(vector, worker.x)


def test_what_lay_in_the_letter_box_is_taken_in_and_newcomers_are_declined():
    told = []

    class Spy(Algorithm):
        def on_message(self, sender, message, x):
            told.append((sender, worker.letters.closed))
            return ()

        def on_finish(self, x):
            told.append(("finish", worker.letters.closed))
            return ()

    worker = build_worker(Spy, roster=[members(0, 1, 2)])
    worker.letters.put("worker-1-0", worker.filled(1.0))

    def publish(x, header, publish=worker.snapshots.publish):
        told.append(("published", worker.letters.closed))
        return publish(x, header)

    worker.snapshots.publish = publish
    worker.finish()
    assert told == [(1, False), ("finish", False), ("published", True)]


def test_what_came_between_the_farewell_and_the_closing_is_in_the_final_model():
    worker = build_worker(lambda rank, view: PushSum(rank, view, None, Stream()))
    close = worker.letters.close

    def close_late():
        worker.letters.put("worker-1-0", worker.filled(3.0), scalars=(1.0,))
        close()

    worker.letters.close = close_late
    before = worker.x.clone()
    worker.finish()
    header, vector = worker.published()
    torch.testing.assert_close(vector, (before + 3.0) / 2)
    assert header.weight == 2.0


def asked():
    """Return a worker that has asked another's algorithm and trains on."""
    worker = build_worker(pairwise)
    worker.step()
    return worker


def pairwise(rank, view):
    return Pairwise(rank, view, PeerSelection(Topology(), "UniformOthers", seed=1), Stream())


def test_the_own_last_message_is_waited_for_and_its_answer_taken_in():
    worker, waited = asked(), []
    before = worker.x.clone()

    def at_wait(seconds):
        waited.append(seconds)
        worker.clock.advance(1.0)
        if len(waited) == 3:
            worker.exchange.arrive(worker.filled(3.0))

    worker.at_wait = at_wait
    worker.finish()
    assert waited == [5.0, 4.0, 3.0]
    torch.testing.assert_close(worker.published()[1], before - 3.0)


def test_even_a_message_that_was_put_aside_is_waited_for_in_the_end():
    worker = asked()
    before = worker.x.clone()
    worker.exchange.put_aside()
    worker.at_wait = lambda _: worker.exchange.arrive(worker.filled(3.0))
    worker.finish()
    torch.testing.assert_close(worker.published()[1], before - 3.0)


def test_a_message_that_does_not_end_is_given_up_in_the_end():
    worker = asked()
    worker.at_wait = worker.clock.advance
    began = worker.clock.now
    worker.finish()
    assert worker.clock.now == began + module.SETTLE_SECONDS
    assert worker.published()[0].finished


def test_others_are_answered_while_the_own_last_message_is_waited_for():
    worker = asked()
    worker.letters.close = lambda: worker.letters.put("worker-1-0", worker.filled(1.0), asks=True)
    worker.at_wait = lambda _: pytest.fail("waited") if worker.letters.answers == [] else finish()

    def finish():
        worker.exchange.arrive(worker.filled(0.0))

    worker.finish()
    assert len(worker.letters.answers) == 1


def test_a_fetch_is_not_waited_for_in_the_end():
    worker = build_worker()
    worker.step()
    assert worker.exchange.busy
    worker.finish()
    assert worker.published()[0].finished


def test_a_farewell_is_sent_before_the_final_model_is_published():
    class Polite(Algorithm):
        def on_finish(self, x):
            return (Send(Shard(0), x.live.new_empty(0), patient=True),)

    worker = build_worker(Polite, roster=[members(0, 1, servers=1)])
    seen = []

    def at_wait(_seconds):
        seen.append((worker.sends()[0].to, worker.snapshots.pin()))
        worker.exchange.arrive()

    worker.at_wait = at_wait
    worker.finish()
    assert seen == [(Shard(0), None)]
    assert worker.published()[0].finished


def test_a_final_model_that_readers_leave_no_buffer_for_is_an_error_in_the_end():
    worker = build_worker(Algorithm)
    for _ in range(3):
        worker.step()
        worker.snapshots.pin()
    worker.at_wait = lambda _: worker.clock.advance(10.0)
    with pytest.raises(RunError, match="worker-0-0: no buffer for the final model"):
        worker.finish()


def test_a_buffer_that_comes_free_in_time_takes_the_final_model():
    worker = build_worker(Algorithm)
    pins = []
    for _ in range(3):
        worker.step()
        pins.append(worker.snapshots.pin())
    worker.at_wait = lambda _: pins[0].release()
    worker.finish()
    assert worker.published()[0].finished


# Agreement of a collective


class Hall:
    """Where the workers of a test average their vectors, one meeting after the other."""

    def __init__(self, size):
        self.size, self._meeting = size, []

    def enter(self, vector, samples, wishes):
        meeting = self._meeting
        meeting.append((vector.clone(), samples, wishes))
        if len(meeting) == self.size:
            self._meeting = []
        return meeting


class Attendant:
    """One worker's way into the hall; `afterwards` runs when it leaves."""

    def __init__(self, hall):
        self._hall, self.size = hall, hall.size
        self.afterwards = lambda: None
        self.num_formed = 0
        self.has_left = False

    def form(self, state, is_over):
        del state
        while self._hall.size > self._num_staying:
            yield 0.0
        self.num_formed += 1
        self.size = self._hall.size
        return not is_over()

    def leave(self):
        self.has_left = True
        self._hall.size = 1

    def begin(self, vector, *, samples, wishes):
        self._vector = vector
        self._meeting = self._hall.enter(vector, samples, wishes)

    def is_ready(self):
        return len(self._meeting) == self.size

    def finish(self):
        vectors, samples, wishes = zip(*self._meeting, strict=True)
        stops, leaves, saves = zip(*wishes, strict=True)
        self._vector.copy_(torch.stack(vectors).mean(dim=0))
        self._num_staying = self.size - sum(leaves)
        self.afterwards()
        return Agreement(sum(samples), any(stops), any(leaves), any(saves))

    def received_bytes(self, num_bytes):
        return 3 * num_bytes


def life(worker, gradient):
    """Train to the end, pausing wherever the worker waits and after every step."""
    going = True
    while going:
        worker.boundary.begin_step()
        worker.model.gradient.fill_(gradient)
        yield from worker.boundary.gradient_ready(samples=8)
        worker.optimizer.step()
        going = yield from worker.boundary.step_done(0.5)
        yield 0.0
    yield from worker.boundary.finish()


def ways_of(workers):
    return [worker.boundary._links.collective for worker in workers]


@pytest.fixture
def run_together():
    """Run two workers that meet to their end; return them with their numbers of steps."""

    def run(make=AllReduce, *, before_turn=lambda workers: None, pace=(0, 0), **limits):
        hall = Hall(2)
        ways = [Attendant(hall) for _ in range(2)]
        workers = [
            build_worker(make, rank=rank, collective=way, **limits) for rank, way in enumerate(ways)
        ]
        for worker, way, seconds in zip(workers, ways, pace, strict=True):
            way.afterwards = lambda wall=worker.wall, seconds=seconds: wall.advance(seconds)
        lives = [life(worker, float(rank)) for rank, worker in enumerate(workers)]
        for _ in range(500):
            before_turn(workers)
            ended = [next(each, "ended") for each in lives]
            if ended == ["ended"] * 2:
                return workers, [worker.boundary.counters.steps for worker in workers]
        return pytest.fail("somebody waits for ever")

    return run


def local_sgd(period):
    n = build_worker().model.layout.num_parameters
    plain = {"learning_rate": 1.0, "momentum": 0.0, "nesterov": False}
    return lambda rank, view: LocalSGD(rank, view, n, period=period, **plain)


def test_all_members_of_a_collective_count_the_same_samples_and_stop_at_the_same_step(run_together):
    workers, steps = run_together(budget=Budget(samples=70))
    assert steps == [5, 5]  # 16 samples a step
    assert [worker.boundary.job_samples for worker in workers] == [80, 80]
    assert torch.equal(workers[0].x, workers[1].x)


def test_all_members_of_a_collective_step_with_the_mean_gradient(run_together):
    start = build_worker().x.clone()
    workers, _ = run_together(budget=Budget(steps_per_worker=2))
    n = workers[0].model.layout.num_parameters
    torch.testing.assert_close(workers[0].x[:n], start[:n] - 2 * LEARNING_RATE * 0.5)


def test_what_a_collective_brings_is_counted(run_together):
    workers, _ = run_together(budget=Budget(steps_per_worker=2))
    num_bytes = workers[0].model.gradient.nbytes
    counters = workers[0].boundary.counters
    assert (counters.exchanges, counters.lost) == (2, 0)
    assert counters.received_bytes == counters.sent_bytes == 2 * 3 * num_bytes


def test_between_two_meetings_all_members_count_the_others_as_themselves(run_together):
    workers, steps = run_together(local_sgd(period=4), budget=Budget(samples=16 * 10))
    assert steps == [10, 10]
    assert [worker.boundary.job_samples for worker in workers] == [160, 160]
    assert [worker.progress.stop.reason for worker in workers] == [StopReason.BUDGET] * 2


def end_after_step_3(workers):
    if workers[1].boundary.counters.steps == 3:
        workers[1].progress.end(StopReason.TARGET, "evaluator-0-0", at=1.0)


def leave_after_step_3(workers):
    if workers[1].boundary.counters.steps == 3:
        workers[1].boundary.leave()


@pytest.mark.parametrize(("make", "last"), [(AllReduce, 4), (local_sgd(period=5), 5)])
def test_what_only_one_member_knows_stops_all_after_the_next_meeting(run_together, make, last):
    _, steps = run_together(make, before_turn=end_after_step_3)
    assert steps == [last, last]


@pytest.mark.parametrize(("make", "last"), [(AllReduce, 4), (local_sgd(period=5), 5)])
def test_who_is_to_leave_goes_after_the_next_meeting_and_the_others_meet_without_it(
    run_together, make, last
):
    workers, steps = run_together(
        make, before_turn=leave_after_step_3, budget=Budget(steps_per_worker=10)
    )
    assert steps == [10, last]
    assert [worker.boundary.has_left for worker in workers] == [False, True]
    assert [way.num_formed for way in ways_of(workers)] == [1, 0]
    assert [worker.progress.stop for worker in workers] == [None, None]


# Losing a member


class Fragile:
    """A collective of one whose means number `losses` are lost; `state` is copied if it is set."""

    size = 1

    def __init__(self, *losses, copies=None):
        self._losses, self._copies = losses, copies
        self.num_begun = self.num_formed = 0
        self.vectors = []

    def form(self, state, is_over):
        self.num_formed += 1
        yield 0.0
        if self._copies is not None:
            state.restore(*self._copies)
        return not is_over()

    def leave(self):
        pass

    def begin(self, vector, *, samples, wishes):
        del wishes
        self.num_begun += 1
        self._samples = samples
        self.vectors.append(vector)

    def is_ready(self):
        return True

    def finish(self):
        if self.num_begun in self._losses:
            self.vectors[-1].fill_(float("nan"))  # a half of it had come
            raise CollectiveError("worker-1-0 left")
        return Agreement(self._samples, stop=False)

    def received_bytes(self, num_bytes):
        return num_bytes


def alone_with(collective, make=AllReduce):
    worker = build_worker(make, collective=collective)
    worker.at_wait = lambda _seconds: None
    return worker


def gradient_of(worker, value):
    worker.boundary.begin_step()
    worker.model.gradient.fill_(value)
    return drive(worker.boundary.gradient_ready(samples=8), worker.wait)


def test_a_gradient_that_was_lost_with_its_mean_is_to_be_computed_anew_in_new_memory():
    collective = Fragile(1)
    worker = alone_with(collective)
    assert gradient_of(worker, 1.0) is Turn.REPEAT
    assert gradient_of(worker, 1.0) is Turn.STEP
    assert collective.num_formed == 1
    assert collective.vectors[0].data_ptr() != collective.vectors[1].data_ptr()
    module_gradient = next(worker.model.module.parameters()).grad
    assert torch.equal(module_gradient, torch.ones_like(module_gradient))
    worker.optimizer.step()
    assert worker.x.isfinite().all()


def test_a_step_that_is_repeated_counts_once():
    worker = alone_with(Fragile(2))
    assert worker.step(1.0)
    assert gradient_of(worker, 1.0) is Turn.REPEAT
    assert worker.step(1.0)
    assert (worker.boundary.job_samples, worker.boundary.own_samples) == (16, 16)
    assert worker.journal.entries.count(("lost", "group", 1, "worker-1-0 left")) == 1


def state_of(worker):
    return worker.boundary._state.pack(), worker.boundary._state.counts()


def test_who_is_a_step_behind_goes_on_from_the_others_state_and_counts_its_part_of_that_step():
    ahead = alone_with(Fragile())
    for _ in range(3):
        ahead.step(1.0)
    behind = alone_with(Fragile(3, copies=state_of(ahead)))
    behind.step(1.0)
    behind.step(1.0)
    assert gradient_of(behind, 1.0) is Turn.REPEAT
    assert behind.boundary.counters.steps == 3
    assert torch.equal(behind.x, ahead.x)
    assert (behind.boundary.job_samples, behind.boundary.own_samples) == (24, 24)
    assert behind.boundary._state.digest() == ahead.boundary._state.digest()


def test_an_outer_step_whose_mean_was_lost_is_taken_from_where_the_worker_is():
    whole, torn = (alone_with(Fragile(*losses), local_sgd(period=2)) for losses in ((), (1, 2)))
    for worker in (whole, torn):
        for _ in range(4):
            worker.step(1.0)
    assert torch.equal(whole.x, torn.x)
    assert torn.boundary.counters.steps == 4


def test_a_worker_that_is_to_leave_does_not_wait_for_a_new_group():
    worker = alone_with(Fragile(1))
    worker.boundary.leave()
    assert gradient_of(worker, 1.0) is Turn.END


@pytest.mark.parametrize(
    "limit", [{"active_deadline": timedelta(seconds=3)}, {"budget": Budget(seconds=3.0)}]
)
def test_clocks_that_differ_stop_all_at_the_same_step(run_together, limit):
    _, steps = run_together(**limit, pace=(1.0, 0.6))
    assert steps[0] == steps[1]
    assert 3 <= steps[0] <= 5
