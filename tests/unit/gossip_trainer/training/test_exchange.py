"""What a worker fetches and sends: begun in its own time, collected in order."""

import pytest
import torch
from exchange_driver import BROKEN, SECONDS, Driver, fetch, peer, send

from gossip_trainer.algorithms.effects import Fetch, Rank, Send
from gossip_trainer.compression.excerpt import Excerpt
from gossip_trainer.errors import ProgressError
from gossip_trainer.training.exchange import Arrived, Dispatch, Lost
from gossip_trainer.transport.errors import NotReady, PeerLost, TransportError
from gossip_trainer.transport.verdicts import Answered, Declined, Pending, Taken
from gossip_trainer.transport.wire import MessageHeader, MessageId, Refusal

EXCERPTS = [
    (Excerpt(1, 4), (3,), torch.float32),
    (Excerpt(0, 6, seed=1), (12,), torch.uint8),  # two bytes a value
]


# Fetches


def test_nothing_under_way_brings_nothing(exchange):
    assert not exchange.busy
    assert exchange.exchange.collect() is None


def test_a_fetch_under_way_makes_nobody_wait(exchange, client):
    exchange.begin(fetch(2))
    assert client.asked.wait(SECONDS)
    assert exchange.exchange.collect() is None
    assert exchange.busy


def test_what_arrived_is_the_peers_vector_with_its_step(exchange, open_client):
    exchange.begin(fetch(2))
    outcome = exchange.collect()
    assert isinstance(outcome, Arrived)
    assert (outcome.effect, outcome.peer, outcome.finished) == (Fetch(2), "worker-2-0", False)
    assert outcome.message.step == 17
    assert torch.equal(outcome.message.vector, torch.full((6,), 2.0))
    assert open_client.calls == [(("10.0.0.1", 2), "worker-2-0")]
    assert not exchange.busy
    assert exchange.exchange.collect() is None


def test_a_peer_that_has_finished_says_so(exchange, open_client):
    exchange.begin(fetch(9))
    assert exchange.collect().finished


def test_one_batch_at_a_time(exchange):
    exchange.begin(fetch(2))
    with pytest.raises(AssertionError):
        exchange.begin(fetch(3))


@pytest.mark.parametrize(("excerpt", "shape", "dtype"), EXCERPTS)
def test_a_fetch_of_an_excerpt_asks_for_it_and_brings_no_more(
    exchange, open_client, excerpt, shape, dtype
):
    exchange.begin(fetch(4, excerpt=excerpt))
    vector = exchange.collect().message.vector
    assert open_client.excerpts == [excerpt]
    assert (vector.shape, vector.dtype) == (shape, dtype)


def test_the_answer_to_a_message_of_bytes_is_as_many_bytes(exchange, open_client):
    open_client.verdicts = {1: [Answered(3, (), 8)], 2: [Answered(3, (), 8)]}
    encoded = torch.ones(8, dtype=torch.uint8)
    batch = [Dispatch(Send(Rank(rank), encoded, asks=True), rank, 5, peer(rank)) for rank in (1, 2)]
    exchange.begin(*batch)
    for rank in (1, 2):
        vector = exchange.collect().message.vector
        assert (vector.shape, vector.dtype) == ((8,), torch.uint8)
        assert vector.view(torch.float32).tolist() == [float(rank)] * 2


def test_one_fetch_after_the_other_through_one_buffer(exchange, open_client):
    for rank in (2, 3, 4):
        exchange.begin(fetch(rank))
        vector = exchange.collect().message.vector
        assert torch.equal(vector, torch.full((6,), float(rank)))


@pytest.mark.parametrize(
    ("error", "suspect"),
    [
        (PeerLost("reset", "worker-2-0 hung up"), True),
        (TransportError("no"), True),
        (NotReady("worker-2-0 has not published a snapshot yet"), False),
    ],
)
def test_a_failed_fetch_is_lost_and_the_next_may_begin(exchange, open_client, error, suspect):
    open_client.error = error
    exchange.begin(fetch(2))
    assert exchange.collect() == Lost(Fetch(2), "worker-2-0", str(error), suspect)
    open_client.error = None
    exchange.begin(fetch(3))
    assert isinstance(exchange.collect(), Arrived)


def test_a_fetch_whose_counters_make_no_sense_is_lost_like_any_other(exchange, open_client):
    open_client.error = ProgressError("'worker-2-0' sent counters that make no sense")
    exchange.begin(fetch(2))
    assert isinstance(exchange.collect(), Lost)


def test_close_aborts_the_fetch_under_way_and_ends_the_thread(client):
    driver = Driver(client)
    driver.begin(fetch(2))
    assert client.asked.wait(SECONDS)
    driver.close()
    assert client.aborted
    assert not driver.exchange._thread.is_alive()
    assert isinstance(driver.exchange.collect(), Lost)


# Sends


def test_a_message_goes_out_with_all_that_belongs_to_it(exchange, open_client):
    open_client.verdicts = {2: [Taken()]}
    dispatch = send(2, scalars=(3.0,), number=7)
    exchange.begin(dispatch)
    assert exchange.collect() == Arrived(dispatch.effect, "worker-2-0", None, finished=False)
    header = MessageHeader(MessageId(100, 7), asks=False, step=5, scalars=(3.0,))
    payload = dispatch.effect.vector.numpy().tobytes()
    assert open_client.sent == [("worker-2-0", header, payload)]
    assert not exchange.busy


def test_an_answer_arrives_with_its_step_and_scalars(exchange, open_client):
    open_client.verdicts = {2: [Answered(99, (1.5,), 8)]}
    exchange.begin(send(2, asks=True))
    message = exchange.collect().message
    assert torch.equal(message.vector, torch.full((2,), 2.0))
    assert (message.step, message.scalars) == (99, (1.5,))


def test_an_empty_answer_is_an_empty_vector(exchange, open_client):
    open_client.verdicts = {2: [Answered(99, (1.5,), 0)]}
    exchange.begin(send(2, asks=True))
    assert exchange.collect().message.vector.shape == (0,)


def test_an_empty_message_may_ask(exchange, open_client):
    open_client.verdicts = {2: [Answered(99, (1.5,), 0)]}
    exchange.begin(send(2, size=0, asks=True))
    assert exchange.collect().message.scalars == (1.5,)


def test_a_batch_is_carried_out_in_order_and_its_answers_lie_side_by_side(exchange, open_client):
    open_client.verdicts = {rank: [Answered(rank, (), 8)] for rank in (2, 3, 4)}
    batch = [send(rank, number=rank, asks=True) for rank in (2, 3, 4)]
    exchange.begin(*batch)
    outcomes = []
    for _ in batch:
        assert exchange.busy
        outcomes.append(exchange.collect())
    assert not exchange.busy
    assert [outcome.effect for outcome in outcomes] == [one.effect for one in batch]
    vectors = [outcome.message.vector.tolist() for outcome in outcomes]
    assert vectors == [[2.0, 2.0], [3.0, 3.0], [4.0, 4.0]]


def test_a_batch_that_brings_more_than_there_is_room_for_is_a_mistake(exchange):
    with pytest.raises(AssertionError):
        exchange.begin(send(2, size=4, asks=True), send(3, size=4, asks=True))


def test_only_what_asks_needs_room(exchange, open_client):
    open_client.verdicts = {2: [Taken()], 3: [Taken()]}
    exchange.begin(send(2, size=6), send(3, size=6))
    assert isinstance(exchange.collect(), Arrived)
    assert isinstance(exchange.collect(), Arrived)


@pytest.mark.parametrize(
    ("reason", "finished"),
    [(Refusal.FULL, False), (Refusal.MISSED, False), (Refusal.FINISHED, True)],
)
def test_a_message_that_is_declined_is_lost_without_suspicion(
    exchange, open_client, reason, finished
):
    open_client.verdicts = {2: [Declined(reason)]}
    dispatch = send(2)
    exchange.begin(dispatch)
    outcome = exchange.collect()
    assert (outcome.effect, outcome.peer) == (dispatch.effect, "worker-2-0")
    assert (outcome.suspect, outcome.finished) == (False, finished)
    assert reason in outcome.reason


def test_a_message_that_was_surely_not_taken_is_lost(exchange, open_client):
    open_client.verdicts = {2: [PeerLost("refused", "nobody listens")]}
    exchange.begin(send(2, asks=True))
    outcome = exchange.collect()
    assert isinstance(outcome, Lost)
    assert outcome.suspect
    assert not open_client.settled


def test_a_pending_answer_is_asked_for_again_and_the_message_is_sent_once(exchange, open_client):
    open_client.verdicts = {2: [Pending(), Pending(), Answered(9, (), 8)]}
    exchange.begin(send(2, asks=True))
    assert exchange.collect().message.step == 9
    assert len(open_client.sent) == 1
    assert open_client.settled == [("worker-2-0", MessageId(100, 1))] * 2


def test_a_broken_line_is_replaced_at_once_to_ask_what_became_of_the_message(exchange, open_client):
    open_client.verdicts = {2: [BROKEN, Taken()]}
    exchange.begin(send(2))
    assert isinstance(exchange.collect(), Arrived)
    assert len(open_client.sent) == len(open_client.settled) == 1
