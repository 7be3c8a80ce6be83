"""Messages whose outcome is long in coming: put aside, asked about again, or sent anew."""

import time
from contextlib import closing

import pytest
import torch
from exchange_driver import BROKEN, STALLED, Driver, peer, send

from gossip_api.names import Role
from gossip_trainer.algorithms.effects import Rank, Send, Shard
from gossip_trainer.membership.roster import Endpoint
from gossip_trainer.training import exchange as module
from gossip_trainer.training.exchange import Arrived, Dispatch, Lost
from gossip_trainer.transport.errors import PeerLost
from gossip_trainer.transport.verdicts import Answered, Declined, Pending, Taken
from gossip_trainer.transport.wire import MessageId, Refusal

# Messages that are put aside


def test_one_that_has_stalled_is_not_asked_again_at_once(exchange, open_client):
    open_client.verdicts = {2: [STALLED]}
    exchange.begin(send(2))
    exchange.wait_until(lambda: not exchange.busy)
    assert not open_client.settled


@pytest.mark.usefixtures("hasty")
def test_pauses_between_questions_are_bounded_and_the_answer_is_news(exchange, open_client):
    open_client.verdicts = {2: [STALLED] * 8 + [Taken()]}
    exchange.begin(send(2))
    exchange.wait_until(lambda: not exchange.busy)
    exchange.news.clear()
    assert exchange.news.wait(2.0)  # doubled without bound the pauses would come to 2.5 s
    assert isinstance(exchange.exchange.collect(), Arrived)


@pytest.mark.usefixtures("hasty")
def test_an_outcome_that_is_late_does_not_end_the_batch_under_way(exchange, open_client):
    open_client.verdicts = {2: [STALLED], 3: [Answered(3, (), 8)]}
    late = send(2)
    exchange.begin(late)
    exchange.wait_until(lambda: not exchange.busy)
    open_client.gate.clear()
    exchange.begin(send(3, number=2, asks=True))
    open_client.verdicts[2] = [Taken()]
    assert exchange.collect().effect is late.effect
    assert exchange.busy
    open_client.gate.set()
    assert exchange.collect().peer == "worker-3-0"
    assert not exchange.busy


@pytest.mark.usefixtures("hasty")
def test_a_message_in_doubt_is_put_aside_and_its_outcome_comes_later(exchange, open_client):
    open_client.verdicts = {2: [STALLED], 3: [Answered(3, (), 8)]}
    first = send(2, asks=True)
    exchange.begin(first)
    exchange.wait_until(lambda: not exchange.busy)
    exchange.begin(send(3, number=2, asks=True))
    vector = exchange.collect().message.vector
    open_client.verdicts[2] = [Answered(2, (), 8)]
    late = exchange.collect()
    assert (late.effect, late.peer) == (first.effect, "worker-2-0")
    assert late.message.vector.tolist() == [2.0, 2.0]
    assert vector.tolist() == [3.0, 3.0]  # an answer that is late has a buffer of its own
    assert not exchange.busy


@pytest.mark.usefixtures("hasty")
def test_an_answer_that_is_long_in_coming_is_put_aside(exchange, open_client, monkeypatch):
    with closing(impatient(open_client, monkeypatch)) as driver:
        open_client.verdicts = {2: [Pending()]}
        driver.begin(send(2, asks=True))
        driver.wait_until(lambda: not driver.busy)
        open_client.verdicts = {2: [Pending(), Answered(2, (), 8)]}
        assert driver.collect().message.step == 2


def impatient(client, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.02)
    return Driver(client)


@pytest.mark.usefixtures("hasty")
def test_a_second_message_to_one_that_has_a_first_in_doubt_is_lost_at_once(exchange, open_client):
    open_client.verdicts = {2: [STALLED]}
    exchange.begin(send(2))
    exchange.wait_until(lambda: not exchange.busy)
    second = send(2, number=2)
    exchange.begin(second)
    outcome = exchange.collect()
    assert (outcome.effect, outcome.suspect) == (second.effect, False)
    assert len(open_client.sent) == 1


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("successor", [None, peer(2, incarnation=1)])
def test_a_message_in_doubt_is_lost_when_its_receiver_has_left(exchange, open_client, successor):
    open_client.verdicts = {2: [STALLED]}
    dispatch = send(2)
    exchange.begin(dispatch)
    exchange.wait_until(lambda: not exchange.busy)
    exchange.places[Rank(2)] = successor
    outcome = exchange.collect()
    assert isinstance(outcome, Lost)
    assert (outcome.effect, outcome.peer) == (dispatch.effect, "worker-2-0")
    open_client.verdicts = {2: [Taken()]}
    exchange.begin(send(2, number=2))
    assert isinstance(exchange.collect(), Arrived)


@pytest.mark.usefixtures("hasty")
def test_several_messages_may_be_in_doubt(exchange, open_client):
    open_client.verdicts = {2: [STALLED], 3: [STALLED]}
    exchange.begin(send(2), send(3, number=2))
    exchange.wait_until(lambda: not exchange.busy)
    open_client.verdicts[3] = [Taken()]
    assert exchange.collect().peer == "worker-3-0"
    open_client.verdicts[2] = [Declined(Refusal.MISSED)]
    assert isinstance(exchange.collect(), Lost)


def test_close_leaves_no_thread_behind(open_client, monkeypatch):
    driver = Driver(open_client)
    open_client.verdicts = {2: [STALLED]}
    driver.begin(send(2))
    driver.wait_until(lambda: not driver.busy)
    driver.close()
    assert not driver.exchange._thread.is_alive()
    assert not driver.exchange._postman._doubts._thread.is_alive()


# Patient messages


def patient(client, driver, verdicts):
    """Begin a patient message to server 0, which the verdicts are of; return its dispatch."""
    client.verdicts = verdicts
    effect = Send(Shard(0), torch.full((2,), 0.5), asks=True, patient=True)
    dispatch = Dispatch(effect, 1, 5, driver.places.get(Shard(0)))
    driver.begin(dispatch)
    return dispatch


def server(incarnation, port):
    return Endpoint(Role.SERVER, 0, incarnation, "10.0.0.1", port)


@pytest.mark.usefixtures("hasty")
def test_a_patient_message_waits_for_its_receiver(exchange, open_client):
    dispatch = patient(open_client, exchange, {50: [Answered(1, (), 8)]})
    time.sleep(0.05)
    assert exchange.busy
    assert not open_client.sent
    exchange.places[Shard(0)] = server(0, 50)
    outcome = exchange.collect()
    assert (outcome.effect, outcome.peer) == (dispatch.effect, "server-0-0")


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    "verdicts",
    [[Declined(Refusal.FULL)], [PeerLost("refused", "nobody listens")], [Declined("finished")]],
    ids=["full", "refused", "finished"],
)
def test_a_patient_message_that_was_not_taken_is_sent_anew_as_another_attempt(
    exchange, open_client, verdicts
):
    exchange.places[Shard(0)] = server(0, 50)
    patient(open_client, exchange, {50: [*verdicts, *verdicts, Answered(1, (), 8)]})
    assert exchange.collect().message.step == 1
    attempts = [header.id for _, header, _ in open_client.sent]
    assert attempts == [MessageId(100, 1, attempt) for attempt in range(3)]


@pytest.mark.usefixtures("hasty")
def test_a_patient_message_in_doubt_is_not_sent_anew_while_its_receiver_is_there(
    exchange, open_client
):
    exchange.places[Shard(0)] = server(0, 50)
    patient(open_client, exchange, {50: [STALLED, BROKEN, STALLED, Pending(), Answered(1, (), 8)]})
    assert exchange.collect().message.step == 1
    assert len(open_client.sent) == 1
    assert len(open_client.settled) == 4


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("verdict", [STALLED, Pending()], ids=["in doubt", "pending"])
def test_a_patient_message_goes_to_whoever_takes_its_receivers_place(
    exchange, open_client, verdict
):
    exchange.places[Shard(0)] = server(0, 50)
    patient(open_client, exchange, {50: [verdict], 51: [Answered(1, (), 8)]})
    exchange.wait_until(lambda: open_client.settled)
    assert exchange.busy
    exchange.places[Shard(0)] = server(1, 51)
    outcome = exchange.collect()
    assert outcome.peer == "server-0-1"
    assert outcome.message.vector.tolist() == [51.0, 51.0]


@pytest.mark.usefixtures("hasty")
def test_a_patient_message_does_not_overtake_one_in_doubt(exchange, open_client):
    exchange.places[Shard(0)] = server(0, 50)
    open_client.verdicts = {50: [STALLED]}
    farewell = Send(Shard(0), torch.empty(0))
    exchange.begin(Dispatch(farewell, 1, 5, server(0, 50)))
    exchange.wait_until(lambda: not exchange.busy)
    patient(open_client, exchange, {50: [STALLED]})
    exchange.wait_until(lambda: len(open_client.settled) > 3)
    assert len(open_client.sent) == 1
    open_client.verdicts = {50: [Taken(), Answered(1, (), 8)]}
    assert exchange.collect().effect is farewell
    assert exchange.collect().message.step == 1


@pytest.mark.usefixtures("hasty")
def test_close_ends_a_patient_message(open_client):
    driver = Driver(open_client)
    patient(open_client, driver, {})
    driver.close()
    assert not driver.exchange._thread.is_alive()
