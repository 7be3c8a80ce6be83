import threading
import time
from contextlib import closing

import pytest
import torch

from gossip_api.names import Role
from gossip_trainer.algorithms.effects import Fetch, Rank, Send, Shard
from gossip_trainer.compression.excerpt import Excerpt
from gossip_trainer.errors import ProgressError
from gossip_trainer.membership.roster import Endpoint
from gossip_trainer.training import doubts, postman
from gossip_trainer.training import exchange as module
from gossip_trainer.training.exchange import Arrived, Dispatch, Exchange, Lost
from gossip_trainer.transport.errors import (
    HandshakeRefused,
    NotReady,
    PeerLost,
    ProtocolError,
    TransportError,
    Unsettled,
)
from gossip_trainer.transport.verdicts import Answered, Declined, Pending, Taken
from gossip_trainer.transport.wire import MessageHeader, MessageId, Refusal, SnapshotHeader

SECONDS = 10.0  # the longest any of these waits may take
BROKEN = Unsettled(PeerLost("reset", "the connection was cut"))
STALLED = Unsettled(PeerLost("stalled", "no progress in time"))


EXCERPTS = [
    (Excerpt(1, 4), (3,), torch.float32),
    (Excerpt(0, 6, seed=1), (12,), torch.uint8),  # two bytes a value
]


class Client:
    """Brings a vector full of the peer's rank once the test opens the gate; verdicts as it says."""

    def __init__(self):
        self.gate, self.asked, self.aborted = threading.Event(), threading.Event(), False
        self.error = None
        self.calls, self.excerpts = [], []
        self.sent = []  # (address, header, payload)
        self.settled = []
        self.verdicts = {}  # of a rank, in order; the last stays

    def pull(self, address, into, *, expect, excerpt):
        self.calls.append((address, expect))
        self.excerpts.append(excerpt)
        self.pass_gate()
        if self.error is not None:
            raise self.error
        fill(into, address[1])
        return SnapshotHeader(step=17, samples=3, finished=address[1] == 9)

    def send(self, address, header, payload, into, *, expect):
        self.sent.append((expect, header, bytes(payload)))
        self.pass_gate()
        return self.verdict(address, into)

    def settle(self, address, message, into, *, expect):
        self.settled.append((expect, message))
        return self.verdict(address, into)

    def verdict(self, address, into):
        verdicts = self.verdicts[address[1]]
        verdict = verdicts.pop(0) if len(verdicts) > 1 else verdicts[0]
        if isinstance(verdict, Exception):
            raise verdict
        if isinstance(verdict, Answered) and verdict.num_bytes:
            fill(into, address[1])
        return verdict

    def pass_gate(self):
        self.asked.set()
        assert self.gate.wait(SECONDS)
        if self.aborted:
            raise PeerLost("aborted", "the exchange was given up")

    def abort(self):
        self.aborted = True
        self.gate.set()


def fill(into, rank):
    into[:] = torch.full((len(into) // 4,), float(rank)).numpy().tobytes()


def peer(rank, incarnation=0, role=Role.WORKER):
    return Endpoint(role, rank, incarnation, "10.0.0.1", rank)


def fetch(rank, of=peer, excerpt=None):
    return Dispatch(Fetch(Rank(rank), excerpt), 0, 5, of(rank))


def send(rank, size=2, number=1, **said):
    vector = torch.full((size,), 0.5)
    return Dispatch(Send(Rank(rank), vector, **said), number, 5, peer(rank))


class Driver:
    """An exchange, its news, and where everybody is."""

    def __init__(self, client, shared=None):
        self.news = threading.Event()
        self.places = {Rank(rank): peer(rank) for rank in range(10)}
        self.exchange = Exchange(
            client,
            torch.zeros(6),
            locate=self.places.get,
            started=100,
            on_news=self.news.set,
            shared=shared,
        )
        self.close = self.exchange.close

    @property
    def busy(self):
        return self.exchange.busy

    def begin(self, *batch):
        self.exchange.begin(batch)

    def wait_until(self, holds):
        deadline = time.monotonic() + SECONDS
        while not (result := holds()):
            assert time.monotonic() < deadline
            self.news.wait(0.01)
            self.news.clear()
        return result

    def collect(self):
        return self.wait_until(self.exchange.collect)


@pytest.fixture
def client():
    return Client()


@pytest.fixture
def open_client(client):
    client.gate.set()
    return client


@pytest.fixture
def exchange(client):
    with closing(Driver(client)) as driver:
        yield driver


@pytest.fixture
def hasty(monkeypatch):
    """Pauses that a test can wait for."""
    monkeypatch.setattr(doubts, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(doubts, "LONGEST_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(postman, "INSIST_SECONDS", 0.01)


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


# Peers that share their memory


class Reader:
    """Copies a vector full of 0.5 at once, or fails as the test says."""

    def __init__(self):
        self.error, self.calls, self.starts = None, [], []

    def pull(self, path, into, *, expect, start):
        self.calls.append((path, expect, threading.current_thread()))
        self.starts.append(start)
        if self.error is not None:
            raise self.error
        fill(into, 0.5)
        return SnapshotHeader(step=18, samples=3, finished=True)


def neighbour(rank):
    return Endpoint(Role.WORKER, rank, 0, "10.0.0.1", rank, memory=f"memory-{rank}")


@pytest.fixture
def reader():
    return Reader()


@pytest.fixture
def local(client, reader):
    with closing(Driver(client, reader)) as driver:
        yield driver


def test_shared_memory_is_read_where_the_fetch_begins_and_collected_like_any_other(
    local, client, reader
):
    local.begin(fetch(2, of=neighbour))
    assert reader.calls == [("memory-2", "worker-2-0", threading.current_thread())]
    assert local.busy
    outcome = local.exchange.collect()
    assert isinstance(outcome, Arrived)
    assert (outcome.effect, outcome.peer, outcome.finished) == (Fetch(2), "worker-2-0", True)
    assert outcome.message.step == 18
    assert torch.equal(outcome.message.vector, torch.full((6,), 0.5))
    assert not local.busy
    assert not client.calls


@pytest.mark.parametrize("seed", [None, 7])
def test_of_shared_memory_no_more_is_read_than_was_asked_for_and_rounded_by_the_reader(
    local, reader, seed
):
    local.begin(fetch(2, of=neighbour, excerpt=Excerpt(2, 5, seed)))
    read = local.exchange.collect().message.vector
    assert reader.starts == [2 * 4]
    assert torch.equal(read, Excerpt(0, 3, seed).of(torch.full((3,), 0.5)))


def test_a_peer_that_shares_nothing_is_asked_over_the_network(local, open_client, reader):
    local.begin(fetch(2))
    assert local.collect().message.step == 17
    assert not reader.calls


def test_who_reads_no_shared_memory_asks_over_the_network(exchange, open_client):
    exchange.begin(fetch(2, of=neighbour))
    assert exchange.collect().message.step == 17


@pytest.mark.parametrize("reason", ["stalled", "unreachable"])
def test_a_peer_whose_memory_is_stale_or_gone_is_asked_over_the_network(
    local, client, reader, reason
):
    reader.error = PeerLost(reason, "worker-2-0 published nothing for 3 s")
    local.begin(fetch(2, of=neighbour))
    assert client.asked.wait(SECONDS)
    assert local.exchange.collect() is None
    client.gate.set()
    assert local.collect().message.step == 17


@pytest.mark.parametrize(
    ("error", "suspect"),
    [
        (HandshakeRefused("another model"), True),
        (ProtocolError("what worker-2-0 tells makes no sense"), True),
        (NotReady("worker-2-0 has not published a snapshot yet"), False),
    ],
)
def test_shared_memory_that_makes_no_sense_or_is_empty_is_a_lost_fetch(
    local, client, reader, error, suspect
):
    reader.error = error
    local.begin(fetch(2, of=neighbour))
    assert local.exchange.collect() == Lost(Fetch(2), "worker-2-0", str(error), suspect)
    assert not local.busy
    assert not client.calls
