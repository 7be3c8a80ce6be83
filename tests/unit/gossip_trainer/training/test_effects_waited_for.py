"""What a worker waits for: outcomes of its own, a message of another, and a mean of all."""

import math
from datetime import timedelta

import pytest
import torch
from lone_worker import Post, Stream, build_worker, gossip, members
from scripted_worker import NOTHING, scripted, told

from gossip_api.topology import Topology
from gossip_api.training import Budget
from gossip_trainer.algorithms.effects import (
    Answer,
    Average,
    Fetch,
    Hear,
    Loss,
    Rank,
    Request,
    Send,
    Shard,
    Wait,
)
from gossip_trainer.algorithms.pairwise import Pairwise
from gossip_trainer.algorithms.selection import PeerSelection
from gossip_trainer.errors import MembershipError
from gossip_trainer.progress.ledger import StopReason
from gossip_trainer.training.collective import Agreement

# Waiting


def test_a_wait_goes_on_until_the_effect_has_ended_and_only_news_can_shorten_it():
    worker, waited = build_worker(gossip(overlap=False)), []

    def at_wait(seconds):
        waited.append(seconds)
        if len(waited) == 5:
            worker.exchange.arrive(worker.filled(3.0))

    worker.at_wait = at_wait
    worker.step()
    assert waited == [math.inf] * 5
    assert worker.boundary.counters.exchanges == 1


def test_of_two_that_are_waited_for_both_must_have_ended():
    sends = [Send(Shard(shard), NOTHING, asks=True) for shard in (0, 1)]
    worker = scripted(*sends, *map(Wait, sends))
    order = iter([1, 0])
    worker.at_wait = lambda _: worker.exchange.arrive(NOTHING, index=next(order))
    worker.step()
    assert [effect for _, effect, _ in told(worker)] == [sends[1], sends[0]]


def test_a_send_that_does_not_ask_ends_as_soon_as_the_receiver_has_it():
    send = Send(Rank(1), torch.ones(4))
    worker = scripted(send, Wait(send))
    worker.at_wait = lambda _: worker.exchange.arrive()
    worker.step()
    assert told(worker) == [("answer", send, None)]
    counters = worker.boundary.counters
    assert (counters.exchanges, counters.sent_bytes, counters.received_bytes) == (1, 16, 0)
    assert counters.num_stale == 0


def test_a_loss_ends_a_wait():
    fetch = Fetch(Rank(1))
    worker = scripted(fetch, Wait(fetch))
    worker.at_wait = lambda _: worker.exchange.lose()
    assert worker.step()
    assert told(worker) == [("lost", fetch, Loss.PEER), ("view", (0, 2))]


def test_what_was_put_aside_is_not_waited_for_and_taken_in_when_it_comes():
    send = Send(Rank(1), NOTHING, asks=True)
    worker = scripted(send, Wait(send))
    worker.at_wait = lambda _: worker.exchange.put_aside()
    assert worker.step()
    assert told(worker) == []
    worker.exchange.arrive(worker.filled(4.0))
    worker.step()
    assert told(worker) == [("answer", send, 4.0)]
    assert worker.boundary.counters.exchanges == 1


def test_a_wait_for_what_was_never_begun_or_has_ended_is_none():
    worker = scripted(Wait(Fetch(Rank(1))), Wait(Send(Rank(1), NOTHING)))
    assert worker.step()


@pytest.mark.parametrize(
    "effects",
    [
        lambda: [fetch := Fetch(Rank(1)), Wait(fetch)],
        lambda: [send := Send(Rank(1), NOTHING, asks=True), Wait(send)],
        lambda: [Wait(Hear(Rank(1), 0.0, 1e9))],
    ],
    ids=["fetch", "send", "hear"],
)
def test_a_wait_is_cut_short_by_the_end_of_the_job(effects):
    worker = scripted(*effects())
    worker.at_wait = lambda _: worker.progress.end(StopReason.TARGET, "x", at=1.0)
    assert not worker.step()
    assert told(worker) == []
    assert worker.boundary.counters.exchanges == 0


def test_a_budget_of_steps_does_not_cut_the_last_steps_waits_short():
    # It ends this worker alone: the others go on, and answer.
    worker = build_worker(gossip(overlap=False), budget=Budget(steps_per_worker=1))
    worker.at_wait = lambda _: worker.exchange.arrive(worker.filled(3.0))
    assert not worker.step()
    assert worker.boundary.counters.exchanges == 1


@pytest.mark.parametrize("budget", [Budget(samples=8), Budget(seconds=1.0)])
def test_a_budget_of_all_cuts_waits_short_as_soon_as_it_is_used_up(budget):
    worker = build_worker(gossip(overlap=False), budget=budget)
    worker.wall.advance(1.0)
    assert not worker.step()
    assert worker.progress.stop.reason is StopReason.BUDGET


def test_messages_are_taken_in_and_answered_while_a_worker_waits():
    send = Send(Rank(1), NOTHING, asks=True)
    answer = Answer(Request("worker-2-0", 1), NOTHING)
    worker = scripted(send, Wait(send), message=(answer,))
    answered_at = []

    def at_wait(_seconds):
        answered_at.append(list(worker.letters.answers))
        if len(answered_at) == 1:
            worker.letters.put("worker-2-0", worker.filled(1.0), asks=True)
        else:
            worker.exchange.arrive(NOTHING)

    worker.at_wait = at_wait
    worker.step()
    assert answered_at == [[], [answer]]


def pairwise(rank, view):
    selection = PeerSelection(Topology(), "UniformOthers", seed=1)
    return Pairwise(rank, view, selection, Stream(), overlap=False)


def test_two_workers_that_wait_for_each_other_both_get_on_and_keep_their_sum():
    workers = [build_worker(pairwise, rank=rank) for rank in range(2)]
    workers[1].x.fill_(2.0)
    total = sum(worker.x.double() for worker in workers)
    post = Post(*workers)
    for worker in workers:
        worker.at_wait = None
    going = [worker.boundary.step_done(0.5) for worker in workers]
    for _ in range(3):
        going = [steps for steps in going if next(steps, None) is not None]
        post.carry()
    assert going == []
    assert [worker.boundary.counters.exchanges for worker in workers] == [1, 1]
    assert [worker.boundary.counters.heard for worker in workers] == [1, 1]
    torch.testing.assert_close(sum(worker.x.double() for worker in workers), total)


def test_a_server_that_is_gone_is_waited_for_so_long_and_then_the_worker_fails():
    send = Send(Shard(5), NOTHING, asks=True, patient=True)
    worker = scripted(send, Wait(send), patience=timedelta(seconds=90))
    began = worker.clock.now
    worker.at_wait = lambda _: worker.clock.advance(10.0)
    with pytest.raises(MembershipError, match=r"within 90 s; spec\.runPolicy\.startDeadline"):
        worker.step()
    assert 90.0 < worker.clock.now - began <= 100.0


# Hearing


HEAR = Hear(Rank(1), 3.0, seconds=60.0)


def test_a_message_with_the_key_ends_the_hearing():
    worker = scripted(Wait(HEAR))

    def at_wait(seconds):
        assert seconds == 60.0
        worker.letters.put("worker-1-0", worker.filled(1.0), scalars=(3.0, 9.0))

    worker.at_wait = at_wait
    assert worker.step()
    assert told(worker) == [("message", Rank(1), 1.0)]


@pytest.mark.parametrize(
    ("sender", "scalars"), [("worker-1-0", (2.0,)), ("worker-2-0", (3.0,)), ("worker-1-0", ())]
)
def test_another_message_is_taken_in_but_does_not_end_the_hearing(sender, scalars):
    worker = scripted(Wait(HEAR))

    def at_wait(_seconds):
        worker.letters.put(sender, worker.filled(1.0), scalars=scalars)
        worker.clock.advance(25.0)

    worker.at_wait = at_wait
    worker.step()
    assert [each[0] for each in told(worker)] == ["message", "message", "message", "lost"]


def test_the_deadline_ends_the_hearing():
    worker, waited = scripted(Wait(HEAR)), []

    def at_wait(seconds):
        waited.append(seconds)
        worker.clock.advance(30.0)

    worker.at_wait = at_wait
    assert worker.step()
    assert waited == [60.0, 30.0]
    assert told(worker) == [("lost", HEAR, Loss.DEADLINE)]
    assert worker.boundary.counters.lost == 0  # nothing of its own came to nothing


def test_the_peers_leaving_ends_the_hearing():
    roster = [members(0, 1)]
    worker = scripted(Wait(HEAR), roster=roster)

    def at_wait(_seconds):
        roster[0] = members(0)

    worker.at_wait = at_wait
    assert worker.step()
    assert told(worker) == [("view", (0,)), ("lost", HEAR, Loss.PEER)]


def test_one_that_is_gone_from_the_start_is_not_waited_for():
    hear = Hear(Rank(7), 3.0, seconds=60.0)
    worker = scripted(Wait(hear))
    assert worker.step()
    assert told(worker) == [("lost", hear, Loss.PEER)]


# Averaging


class Meeting:
    """A mean that is there once a test says so."""

    size = 2

    def __init__(self):
        self.ready, self.begun = False, []

    def begin(self, vector, *, samples, wishes):
        self._vector = vector
        self.begun.append((samples, wishes.stop, wishes.leave))

    def is_ready(self):
        return self.ready

    def finish(self):
        self._vector.fill_(9.0)
        return Agreement(samples=16, stop=False)

    def received_bytes(self, num_bytes):
        return 10 * num_bytes


def test_a_mean_is_begun_at_once_and_told_when_it_is_there():
    average, meeting = Average(torch.zeros(4)), Meeting()
    worker = scripted(average, Wait(average), collective=meeting)
    seen = []

    def at_wait(seconds):
        seen.append((seconds, list(meeting.begun), told(worker)))
        meeting.ready = len(seen) == 2

    worker.at_wait = at_wait
    worker.step(samples=8)
    assert seen == [(math.inf, [(8, False, False)], [])] * 2
    assert told(worker) == [("averaged", average)]
    assert torch.equal(average.vector, torch.full((4,), 9.0))
    assert worker.boundary.counters.received_bytes == 10 * 16
    assert worker.boundary.job_samples == 16


def test_a_mean_under_way_is_never_deserted():
    # All must take part in it, or the others hang.
    average, meeting = Average(torch.zeros(4)), Meeting()
    worker = scripted(average, Wait(average), collective=meeting)

    def at_wait(_seconds):
        meeting.ready = worker.progress.stop is not None
        worker.progress.end(StopReason.TARGET, "x", at=1.0)

    worker.at_wait = at_wait
    worker.step()
    assert told(worker) == [("averaged", average)]
