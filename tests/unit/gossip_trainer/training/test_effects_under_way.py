"""What a worker asks of the others: begun, brought back, lost, and counted."""

import pytest
import torch
from lone_worker import Stream, build_worker, members
from scripted_worker import NOTHING, scripted, told

from gossip_api.topology import Topology
from gossip_trainer.algorithms.effects import (
    Answer,
    Fetch,
    Loss,
    Rank,
    Request,
    Send,
    Shard,
    Skip,
    Wait,
)
from gossip_trainer.algorithms.push_sum import PushSum
from gossip_trainer.algorithms.selection import PeerSelection
from gossip_trainer.training.effects_under_way import party_of

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
