"""Fetches and sends of one worker in virtual time."""

from functools import partial

import pytest
import torch

from gossip_api.names import Role
from gossip_trainer.algorithms.effects import Answer, Fetch, Rank, Request, Send
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.membership.roster import Endpoint
from gossip_trainer.simulation.clock import Clock
from gossip_trainer.simulation.exchange import VirtualExchange
from gossip_trainer.simulation.laps import Lap
from gossip_trainer.simulation.letters import VirtualLetters
from gossip_trainer.simulation.network import Network
from gossip_trainer.simulation.replica import SharedModule, Snapshots, VirtualPublisher
from gossip_trainer.training.exchange import PATIENCE_SECONDS, Arrived, Dispatch, Lost
from gossip_trainer.transport.wire import SnapshotHeader

PEER = Endpoint(Role.WORKER, 1, 0, "", 0)
OTHER = Endpoint(Role.WORKER, 2, 0, "", 0)
FETCH = Fetch(Rank(1))
BYTES_PER_SECOND, LATENCY = 64.0, 0.25
TRANSFER = 2.0  # of what `send_of` makes
SELF = "worker-0-0"


def send_of(rank=1, *, asks=False, patient=False):
    return Send(Rank(rank), torch.ones(32), (7.0,), asks=asks, patient=patient)


class Scene:
    """One worker that exchanges with peers."""

    def __init__(self):
        self.clock = Clock()
        self.snapshots = Snapshots(SharedModule(torch.nn.Linear(1, 1)))
        self.network = Network(self.clock, bandwidth=BYTES_PER_SECOND, latency=LATENCY)
        self.publisher = VirtualPublisher(self.snapshots, Lap())
        self.boxes = {
            peer.name: VirtualLetters(partial(self.take_in, peer.name)) for peer in (PEER, OTHER)
        }
        self.taken, self.outcomes = [], []
        self.at_letter = lambda box, letter: None
        self.exchange = VirtualExchange(
            SELF,
            self.clock,
            self.network,
            snapshots=self.snapshots,
            directory=self,
            on_news=self.collect,
        )

    def newest(self, member):
        assert member in self.boxes
        return self.publisher.newest

    def letters(self, member):
        return self.boxes[member]

    def publish(self, value, *, finished=False):
        x = Iterate(torch.full_like(self.snapshots._like, value))
        header = SnapshotHeader(step=int(value), samples=0, finished=finished)
        self.publisher.publish(x, header)

    def take_in(self, member):
        letter = self.boxes[member].collect()
        self.taken.append((self.clock.now, member, letter))
        self.at_letter(self.boxes[member], letter)

    def collect(self):
        while (outcome := self.exchange.collect()) is not None:
            self.outcomes.append((self.clock.now, outcome))

    def begin(self, *effects, peers=None):
        peers = peers or [PEER if _to(effect) == 1 else OTHER for effect in effects]
        self.exchange.begin(
            [
                Dispatch(effect, number, 5, peer)
                for number, (effect, peer) in enumerate(zip(effects, peers, strict=True), start=1)
            ]
        )

    def run(self, *effects):
        """Begin and let everything happen; return all outcomes, each with its moment."""
        self.begin(*effects)
        self.clock.run_while(lambda: bool(self.clock._heap))
        return self.outcomes


def _to(effect):
    return effect.peer if isinstance(effect, Fetch) else effect.to


def answer_at_once(box, letter):
    box.answer(Answer(letter.message.request, torch.full((16,), 3.0), (0.5,), step=11))


@pytest.fixture
def scene():
    scene = Scene()
    scene.publish(1.0)
    return scene


# Fetching


def test_a_fetch_takes_two_latencies_and_the_transfer(scene):
    seconds = 2 * LATENCY + scene.publisher.newest.vector.nbytes / BYTES_PER_SECOND
    ((moment, outcome),) = scene.run(FETCH)
    assert moment == seconds
    assert isinstance(outcome, Arrived)
    assert not scene.exchange.busy


def test_what_arrives_is_what_was_newest_when_the_request_came_to_the_peer(scene):
    scene.clock.after(0.2, lambda: scene.publish(2.0))
    scene.clock.after(0.3, lambda: scene.publish(3.0))
    seen = []
    scene.exchange._on_news = lambda: seen.append(scene.exchange.collect().message.vector.clone())
    scene.run(FETCH)
    assert torch.all(seen[0] == 2.0)


def test_a_fetched_snapshot_stays_until_the_next_collection(scene):
    scene.exchange._on_news = lambda: None
    snapshot = scene.publisher.newest
    scene.run(FETCH)
    outcome = scene.exchange.collect()
    scene.publish(2.0)
    assert torch.all(outcome.message.vector == 1.0)
    assert snapshot.readers == 1
    scene.exchange.collect()
    assert snapshot.readers == 0


def test_a_finished_peers_last_snapshot_says_so(scene):
    scene.publish(4.0, finished=True)
    ((_, outcome),) = scene.run(FETCH)
    assert outcome.finished
    assert outcome.message.finished


def test_the_exchange_is_busy_until_the_outcome_is_collected(scene):
    scene.exchange._on_news = lambda: None
    scene.begin(FETCH)
    assert scene.exchange.collect() is None
    scene.clock.run_while(lambda: bool(scene.clock._heap))
    assert scene.exchange.busy
    assert scene.exchange.collect() is not None
    assert not scene.exchange.busy


def test_a_peer_that_is_gone_costs_the_fetch_two_latencies_and_is_suspected(scene):
    scene.publisher.withdraw()
    assert scene.run(FETCH) == [
        (2 * LATENCY, Lost(FETCH, "worker-1-0", "worker-1-0 is gone", suspect=True))
    ]


def test_a_peer_lost_in_mid_transfer_costs_the_fetch_and_its_snapshot_is_let_go(scene):
    scene.clock.after(0.5, lambda: scene.network.drop("worker-1-0"))
    ((moment, outcome),) = scene.run(FETCH)
    assert moment == 0.5 + LATENCY
    assert isinstance(outcome, Lost)
    assert scene.publisher.newest.readers == 1


@pytest.mark.parametrize("seconds", [0.1, 0.5, 100.0])
def test_a_reader_that_is_gone_holds_no_snapshot(scene, seconds):
    def vanish():
        scene.exchange.close()
        scene.network.drop(SELF)

    scene.exchange._on_news = lambda: None
    scene.clock.after(seconds, vanish)
    scene.run(FETCH)
    assert scene.publisher.newest.readers == 1


# Sending


def test_a_message_takes_its_transfer_and_ends_with_an_acknowledgement(scene):
    send = send_of()
    ((moment, outcome),) = scene.run(send)
    assert moment == TRANSFER + 2 * LATENCY
    assert outcome == Arrived(send, "worker-1-0", None, finished=False)
    ((taken_at, member, letter),) = scene.taken
    assert (taken_at, member) == (TRANSFER + LATENCY, "worker-1-0")
    message = letter.message
    assert (letter.sender, message.step, message.scalars) == (SELF, 5, (7.0,))
    assert (message.number, message.request, message.member) == (1, None, SELF)
    assert message.vector is send.vector


def test_an_answer_takes_its_transfer_as_well(scene):
    scene.at_letter = answer_at_once
    send = send_of(asks=True)
    ((moment, outcome),) = scene.run(send)
    assert moment == TRANSFER + LATENCY + TRANSFER / 2 + LATENCY
    assert scene.taken[0][2].message.request == Request(SELF, 1)
    message = outcome.message
    assert (message.step, message.scalars, float(message.vector[0])) == (11, (0.5,), 3.0)


def test_a_message_shares_the_links_with_others(scene):
    nothing = {"arrived": lambda: None, "lost": lambda: None}
    scene.network.send("worker-9-0", "worker-1-0", 1e9, **nothing)
    ((moment, _),) = scene.run(send_of())
    assert moment == 2 * TRANSFER + 2 * LATENCY


def test_messages_to_several_go_one_after_the_other_and_each_as_soon_as_the_one_before_ended(scene):
    first, second = send_of(1), send_of(2)
    outcomes = scene.run(first, second)
    each = TRANSFER + 2 * LATENCY
    assert [(moment, outcome.effect) for moment, outcome in outcomes] == [
        (each, first),
        (2 * each, second),
    ]


def test_an_answer_may_come_later_than_the_message_was_taken(scene):
    scene.at_letter = lambda box, letter: scene.clock.after(
        3.0, lambda: answer_at_once(box, letter)
    )
    ((moment, outcome),) = scene.run(send_of(asks=True))
    assert moment == TRANSFER + LATENCY + 3.0 + TRANSFER / 2 + LATENCY
    assert isinstance(outcome, Arrived)


def test_a_receiver_that_has_finished_declines_and_is_no_suspect(scene):
    scene.boxes["worker-1-0"].close()
    send = send_of()
    reason = "worker-1-0 has finished"
    assert scene.run(send) == [
        (
            TRANSFER + 2 * LATENCY,
            Lost(send, "worker-1-0", reason, suspect=False, finished=True),
        )
    ]
    assert scene.taken == []


@pytest.mark.parametrize("asks", [True, False])
def test_a_receiver_that_is_gone_costs_the_message(scene, asks):
    scene.boxes["worker-1-0"] = None
    send = send_of(asks=asks)
    ((moment, outcome),) = scene.run(send)
    assert moment == TRANSFER + 2 * LATENCY
    assert (outcome.effect, outcome.suspect) == (send, True)


def test_a_receiver_that_crashes_before_it_has_the_message_costs_it(scene):
    scene.clock.after(1.0, lambda: scene.network.drop("worker-1-0"))
    ((moment, outcome),) = scene.run(send_of())
    assert moment == 1.0 + LATENCY
    assert isinstance(outcome, Lost)
    assert scene.taken == []


def test_a_receiver_that_crashes_before_it_answers_costs_the_question(scene):
    scene.clock.after(5.0, scene.boxes["worker-1-0"].die)
    ((moment, outcome),) = scene.run(send_of(asks=True))
    assert moment == 5.0 + LATENCY
    assert isinstance(outcome, Lost)
    assert len(scene.taken) == 1


def test_a_receiver_that_crashes_while_its_answer_is_under_way_costs_the_answer(scene):
    scene.at_letter = answer_at_once
    scene.clock.after(TRANSFER + LATENCY + 0.5, lambda: scene.network.drop("worker-1-0"))
    ((_, outcome),) = scene.run(send_of(asks=True))
    assert isinstance(outcome, Lost)


def test_a_sender_that_crashes_takes_its_message_with_it_unless_it_has_arrived(scene):
    scene.clock.after(1.0, lambda: scene.network.drop(SELF))
    scene.clock.after(1.0, scene.exchange.close)
    assert scene.run(send_of()) == []
    assert scene.taken == []


# Long in being answered


def answer_after(seconds, scene):
    def at_letter(box, letter):
        if letter.message.request is not None:
            scene.clock.after(seconds, lambda: answer_at_once(box, letter))

    return at_letter


def test_a_question_that_is_long_in_being_answered_is_put_aside_and_its_answer_taken_later(scene):
    scene.at_letter = answer_after(PATIENCE_SECONDS + 20.0, scene)
    first, second = send_of(1, asks=True), send_of(2)
    busy = []
    at_last = TRANSFER + LATENCY + PATIENCE_SECONDS
    for moment in (at_last - 0.01, at_last + TRANSFER + 2 * LATENCY + 0.01):
        scene.clock.after(moment, lambda: busy.append(scene.exchange.busy))
    outcomes = scene.run(first, second)
    assert busy == [True, False]
    assert [(moment, outcome.effect) for moment, outcome in outcomes] == [
        (at_last + TRANSFER + 2 * LATENCY, second),
        (at_last + 20.0 + TRANSFER / 2 + LATENCY, first),
    ]
    assert isinstance(outcomes[1][1], Arrived)


def test_whoever_waits_is_told_when_a_question_was_put_aside(scene):
    scene.at_letter = answer_after(1000.0, scene)
    news = []
    scene.exchange._on_news = lambda: news.append((scene.clock.now, scene.exchange.busy))
    scene.begin(send_of(asks=True))
    at_last = TRANSFER + LATENCY + PATIENCE_SECONDS
    scene.clock.run_while(lambda: scene.clock.now < at_last)
    assert news == [(at_last, False)]


def test_a_patient_question_is_never_put_aside(scene):
    scene.at_letter = answer_after(1000.0, scene)
    ((moment, outcome),) = scene.run(send_of(asks=True, patient=True))
    assert moment == TRANSFER + LATENCY + 1000.0 + TRANSFER / 2 + LATENCY
    assert isinstance(outcome, Arrived)


def test_the_patience_with_one_question_is_not_spent_on_the_next(scene):
    scene.at_letter = answer_after(PATIENCE_SECONDS - 2.0, scene)
    outcomes = scene.run(send_of(1, asks=True), send_of(2, asks=True))
    each = TRANSFER + LATENCY + PATIENCE_SECONDS - 2.0 + TRANSFER / 2 + LATENCY
    assert [moment for moment, _ in outcomes] == [each, 2 * each]


def test_one_that_is_gone_sends_nothing_more(scene):
    # What it has asked before is put aside after it is gone, and makes way for nobody.
    scene.at_letter = answer_after(1000.0, scene)
    scene.clock.after(5.0, scene.exchange.close)
    scene.clock.after(5.0, lambda: scene.network.drop(SELF))
    assert scene.run(send_of(1, asks=True), send_of(2)) == []
    assert [member for _, member, _ in scene.taken] == ["worker-1-0"]
