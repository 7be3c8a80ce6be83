"""The step boundary over an exchange in memory: what happens in which order."""

import pytest
import torch
from lone_worker import LEARNING_RATE, Stream, build_worker, gossip, members
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from gossip_api.topology import Topology
from gossip_trainer.algorithms.base import Algorithm
from gossip_trainer.algorithms.effects import Fetch, Loss
from gossip_trainer.algorithms.pull_gossip import PullGossip
from gossip_trainer.algorithms.selection import PeerSelection

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
