"""What a worker asks of the others: begun, waited for, brought back, lost, and counted."""

import math
from datetime import timedelta

import pytest
import torch
from lone_worker import Post, Stream, build_worker, gossip, members

from gossip_api.topology import Topology
from gossip_api.training import Budget
from gossip_trainer.algorithms.base import Algorithm
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
    Skip,
    Wait,
)
from gossip_trainer.algorithms.pairwise import Pairwise
from gossip_trainer.algorithms.push_sum import PushSum
from gossip_trainer.algorithms.selection import PeerSelection
from gossip_trainer.errors import MembershipError
from gossip_trainer.progress.ledger import StopReason
from gossip_trainer.training.collective import Agreement
from gossip_trainer.training.effects_under_way import party_of

NOTHING = torch.empty(0)


class Scripted(Algorithm):
    """Asks once for what a test wants, and writes down what it is told.

    `replies` maps a call's name to the effects it returns, each once.
    """

    def __init__(self, rank, view, *wanted, **replies):
        super().__init__(rank, view)
        self.wanted, self.replies, self.told = wanted, replies, []

    def on_step(self, x):
        wanted, self.wanted = self.wanted, ()
        return self._hear("step") or wanted

    def on_answer(self, effect, message, x):
        value = None if message is None or not message.vector.numel() else float(message.vector[0])
        return self._hear("answer", effect, value)

    def on_message(self, sender, message, x):
        return self._hear("message", sender, float(message.vector[0]))

    def on_averaged(self, effect, x):
        return self._hear("averaged", effect)

    def on_lost(self, effect, reason, x):
        return self._hear("lost", effect, reason)

    def on_view(self, view):
        super().on_view(view)
        return self._hear("view", view.ranks)

    def _hear(self, call, *details):
        self.told.append((call, *details))
        return self.replies.pop(call, ())


def scripted(*wanted, roster=None, collective=None, patience=timedelta(minutes=1), **replies):
    return build_worker(
        lambda rank, view: Scripted(rank, view, *wanted, **replies),
        roster=roster or [members(0, 1, 2, servers=2)],
        collective=collective,
        patience=patience,
    )


def told(worker):
    return [each for each in worker.algorithm.told if each != ("step",)]


# Beginning


def test_all_fetches_and_sends_of_a_call_begin_together_and_the_rest_follows_in_order():
    send, fetch = Send(Rank(1), NOTHING), Fetch(Rank(2))
    answer = Answer(Request("worker-2-0", 1), NOTHING)
    worker = scripted(answer, send, Skip(), fetch)
    worker.step()
    assert [dispatch.effect for dispatch in worker.exchange.begun] == [send, fetch]
    assert [dispatch.peer.name for dispatch in worker.exchange.begun] == [
        "worker-1-0",
        "worker-2-0",
    ]
    assert worker.letters.answers == [answer]
    assert worker.boundary.counters.skipped == 1


def test_sends_are_numbered_from_one_whatever_becomes_of_them():
    gone, sends = Send(Rank(7), NOTHING), [Send(Rank(1), NOTHING), Send(Shard(0), NOTHING)]
    worker = scripted(gone, Fetch(Rank(2)), *sends)
    worker.step()
    numbers = {d.effect: d.number for d in worker.exchange.begun if isinstance(d.effect, Send)}
    assert [numbers[send] for send in sends] == [2, 3]


@pytest.mark.parametrize(
    "effect", [Fetch(Rank(7)), Send(Rank(7), NOTHING), Send(Shard(5), NOTHING)]
)
def test_what_is_for_somebody_absent_is_lost_at_once_and_never_begun(effect):
    worker = scripted(effect, Wait(effect))
    assert worker.step()
    assert worker.exchange.begun == []
    assert told(worker) == [("lost", effect, Loss.PEER)]


def test_a_patient_message_is_begun_though_its_receiver_is_absent():
    send = Send(Shard(5), NOTHING, asks=True, patient=True)
    worker = scripted(send)
    worker.step()
    (dispatch,) = worker.exchange.begun
    assert (dispatch.effect, dispatch.peer) == (send, None)
    assert told(worker) == []


def test_a_peer_that_is_left_out_of_the_view_can_still_be_asked():
    worker = scripted(Fetch(Rank(1)))
    worker.peers.lost("worker-1-0", worker.clock.now)
    worker.step()
    assert [dispatch.peer.name for dispatch in worker.exchange.begun] == ["worker-1-0"]


# Bringing


def test_outcomes_come_before_messages_and_messages_before_a_new_view():
    roster, fetch = [members(0, 1, 2)], Fetch(Rank(1))
    worker = scripted(fetch, roster=roster)
    worker.step()
    roster[0] = members(0, 1)
    worker.letters.put("worker-2-0", worker.filled(2.0))
    worker.letters.put("server-1-0", worker.filled(3.0))
    worker.exchange.arrive(worker.filled(1.0))
    worker.step()
    assert told(worker) == [
        ("answer", fetch, 1.0),
        ("message", Rank(2), 2.0),
        ("message", Shard(1), 3.0),
        ("view", (0, 1)),
    ]


@pytest.mark.parametrize(
    ("call", "happen"),
    [
        ("answer", lambda worker: worker.exchange.arrive(worker.filled(1.0))),
        ("message", lambda worker: worker.letters.put("worker-1-0", worker.filled(1.0))),
        ("lost", lambda worker: worker.exchange.lose()),
    ],
)
def test_what_the_algorithm_wants_upon_being_told_is_carried_out(call, happen):
    worker = scripted(Send(Rank(1), NOTHING, asks=True), **{call: (Skip(), Skip())})
    worker.step()
    happen(worker)
    worker.step()
    assert worker.boundary.counters.skipped == 2


def test_a_new_exchange_may_begin_as_soon_as_the_last_of_a_batch_was_told():
    fetch, send = Fetch(Rank(1)), Send(Rank(2), NOTHING)
    worker = scripted(fetch, answer=(send,))
    worker.step()
    worker.exchange.arrive(worker.filled(1.0))
    worker.step()
    assert [dispatch.effect for dispatch in worker.exchange.begun] == [fetch, send]


def test_a_letter_is_let_go_before_what_the_algorithm_wants_is_carried_out():
    # FakeLetters spoils what is released, as the mailbox's next message would.
    worker = scripted(message=(Skip(),))
    worker.letters.put("worker-1-0", worker.filled(1.0))
    letter = worker.letters.come[0]
    worker.step()
    assert told(worker) == [("message", 1, 1.0)]
    assert torch.isnan(letter.message.vector).all()


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


# Counting


def test_own_exchanges_and_the_bytes_they_moved_are_counted():
    fetch = Fetch(Rank(1))
    ask = Send(Rank(2), torch.ones(6), asks=True)
    worker = scripted(fetch, ask)
    worker.step()
    worker.exchange.arrive(torch.ones(10), index=0)
    worker.exchange.arrive(torch.ones(5), index=1)
    worker.step()
    counters = worker.boundary.counters
    assert (counters.exchanges, counters.heard, counters.lost) == (2, 0, 0)
    assert (counters.sent_bytes, counters.received_bytes) == (6 * 4, (10 + 5) * 4)


def test_a_message_is_heard_and_not_an_own_exchange():
    worker = scripted()
    worker.letters.put("worker-1-0", torch.ones(3), step=0)
    worker.step()
    counters = worker.boundary.counters
    assert (counters.heard, counters.exchanges, counters.received_bytes) == (1, 0, 12)


def test_the_age_of_snapshots_and_messages_is_the_own_step_less_the_senders():
    worker = scripted(Fetch(Rank(1)))
    worker.step()
    worker.exchange.arrive(worker.filled(1.0), step=-1)
    worker.letters.put("worker-2-0", worker.filled(1.0), step=7)  # somebody ahead
    worker.step()
    counters = worker.boundary.counters
    assert (counters.staleness_sum, counters.num_stale) == ((2 + 1) + (2 - 7), 2)


def test_an_answer_has_no_age():
    worker = scripted(Send(Rank(1), NOTHING, asks=True))
    worker.step()
    worker.exchange.arrive(worker.filled(1.0), step=500)
    worker.step()
    assert worker.boundary.counters.num_stale == 0


# Mass


def test_a_share_for_somebody_absent_or_lost_is_taken_back():
    selection = PeerSelection(Topology(), "UniformOthers", seed=1)
    worker = build_worker(lambda rank, view: PushSum(rank, view, selection, Stream()))
    before = worker.x.clone()
    worker.step()
    assert worker.algorithm.weight == 0.5
    worker.exchange.lose()
    worker.step()
    assert worker.algorithm.weight == 1.0
    torch.testing.assert_close(worker.x, before)
    assert worker.published()[0].weight == 0.5  # published before it came back


def test_a_members_name_tells_whom_it_stands_for():
    assert party_of("worker-3-2") == Rank(3)
    assert party_of("server-1-0") == Shard(1)
    with pytest.raises(ValueError, match="nobody"):
        party_of("nobody")
