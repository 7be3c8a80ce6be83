"""A watched algorithm does the same, and the log holds all that it was told."""

import pytest
import torch
from torch import nn

from gossip_trainer.algorithms.base import Algorithm
from gossip_trainer.algorithms.effects import (
    Average,
    Fetch,
    Hear,
    Loss,
    Message,
    Rank,
    Send,
    Shard,
    Wait,
)
from gossip_trainer.algorithms.iterate import Iterate, LookAhead
from gossip_trainer.algorithms.view import make_view
from gossip_trainer.observability.events import Called
from gossip_trainer.training.trace import (
    TracedAlgorithm,
    TracedPublisher,
    TracedServer,
    digest_of,
    party_name,
)
from gossip_trainer.transport.wire import SnapshotHeader

VIEW = make_view(4, {0: 0, 3: 2})
X = Iterate(torch.ones(4))
SENDS = [Send(Rank(3), torch.ones(4)), Send(Shard(1), torch.ones(2), asks=True)]
MESSAGE = Message(torch.ones(4), step=9, number=12, finished=True, member="worker-3-2")


class Events:
    def __init__(self):
        self.records = []

    def emit(self, record):
        self.records.append(record)


@pytest.fixture
def events():
    return Events()


class Asking(Algorithm):
    """Answers every call with the same effects, which it notes."""

    def __init__(self, events, effects=()):
        super().__init__(Rank(0), VIEW)
        self._events, self._effects, self.seen = events, effects, []

    def _ask(self, *given):
        self.seen.append((given, len(self._events.records)))
        return self._effects

    def on_gradient(self, x, gradient):
        return self._ask(x, gradient)

    def on_step(self, x):
        return self._ask(x)

    def on_answer(self, effect, message, x):
        return self._ask(effect, message, x)

    def on_message(self, sender, message, x):
        return self._ask(sender, message, x)

    def on_averaged(self, effect, x):
        return self._ask(effect, x)

    def on_lost(self, effect, reason, x):
        return self._ask(effect, reason, x)

    def on_view(self, view):
        return self._ask(view)

    def on_finish(self, x):
        return self._ask(x)


GRADIENT, AVERAGE = torch.ones(3), Average(torch.ones(3))
CALLS = [
    ("on_gradient", (X, GRADIENT), Called(call="gradient", idle=False)),
    ("on_step", (X,), Called(call="step", idle=False)),
    (
        "on_answer",
        (Fetch(Rank(3)), MESSAGE, X),
        Called(call="answer", peer="worker-3-2", step=9, finished=True),
    ),
    ("on_message", (Rank(3), MESSAGE, X), Called(call="message", peer="worker-3-2", number=12)),
    (
        "on_lost",
        (Hear(Rank(3), 1.0, 5.0), Loss.DEADLINE, X),
        Called(call="lost", peer="worker-3", reason="deadline"),
    ),
    ("on_view", (VIEW,), Called(call="view", ranks=(0, 3), incarnations=(0, 2))),
    ("on_finish", (X,), Called(call="finish")),
]


@pytest.mark.parametrize(("name", "given", "record"), CALLS, ids=[call[0] for call in CALLS])
def test_a_call_is_logged_and_then_passed_on(events, name, given, record):
    effects = (Wait(Fetch(Rank(3))),)
    inner = Asking(events, effects)
    traced = TracedAlgorithm(inner, events)
    traced.idle = False
    assert getattr(traced, name)(*given) is effects
    assert events.records[1:] == [record]
    # Logged first, so that the log of one that is killed tells no less than the others know.
    assert inner.seen == [(given, 2)]


def test_the_beginning_of_a_step_is_logged(events):
    TracedAlgorithm(Algorithm(Rank(0), VIEW), events).before_step(X)
    assert events.records[1:] == [Called(call="before_step")]


def test_a_mean_is_passed_on_and_not_logged_for_it_is_not_replayed(events):
    inner = Asking(events)
    TracedAlgorithm(inner, events).on_averaged(AVERAGE, X)
    assert inner.seen == [((AVERAGE, X), 1)]


def test_the_log_begins_with_the_view(events):
    TracedAlgorithm(Algorithm(Rank(0), VIEW), events)
    assert events.records == [Called(call="view", ranks=(0, 3), incarnations=(0, 2))]


def test_answers_and_losses_name_the_message_as_the_boundary_numbers_it(events):
    traced = TracedAlgorithm(Asking(events, SENDS), events)
    traced.on_step(X)  # sends 1 and 2
    traced.inner._effects = ()
    traced.on_lost(SENDS[1], Loss.PEER, X)
    traced.on_answer(SENDS[0], None, X)
    assert events.records[2:] == [
        Called(call="lost", peer="server-1", number=2, reason="peer"),
        Called(call="answer", peer="worker-3", number=1),
    ]


@pytest.mark.parametrize("name", ["on_gradient", "on_answer", "on_message", "on_lost", "on_finish"])
def test_sends_of_every_call_are_numbered(events, name):
    arguments = next(given for call, given, _ in CALLS if call == name)
    inner = Asking(events, SENDS[:1])
    traced = TracedAlgorithm(inner, events)
    getattr(traced, name)(*arguments)
    inner._effects = SENDS[1:]
    traced.on_step(X)
    traced.on_answer(SENDS[1], MESSAGE, X)
    assert events.records[-1].number == 2


def test_parties_are_named_without_their_incarnation():
    assert (party_name(Rank(3)), party_name(Shard(0))) == ("worker-3", "server-0")


def test_a_digest_tells_vectors_apart_to_the_bit():
    vector = torch.tensor([1.0, 2.0])
    assert digest_of(vector) == digest_of(vector.clone())
    assert digest_of(vector) != digest_of(torch.nextafter(vector, torch.zeros(2)))


# What is published


@pytest.fixture
def optimizer():
    return torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.25)


@pytest.mark.parametrize("has_room", [True, False])
def test_what_is_published_is_logged_as_x_without_the_look_ahead(events, optimizer, has_room):
    published = []

    class Publisher:
        def publish(self, x, header):
            published.append((x, header, len(events.records)))
            return has_room

    x = Iterate(torch.ones(4), LookAhead(torch.ones(3), 0.5))
    header = SnapshotHeader(step=7, samples=0, finished=True)
    assert TracedPublisher(Publisher(), optimizer, events).publish(x, header) is has_room
    assert published == [(x, header, 1)]
    digest = digest_of(torch.tensor([1.5, 1.5, 1.5, 1.0]))
    assert events.records == [
        Called(call="published", step=7, learning_rate=0.25, digest=digest, finished=True)
    ]


class Server:
    """Adds one to its centre for every message."""

    def __init__(self):
        self.version, self._centre = 0, torch.zeros(2)

    @property
    def centre(self):
        return Iterate(self._centre)

    def on_message(self, sender, message):
        self.version += 1
        self._centre.add_(1.0)
        return ("effects", sender, message)

    def on_view(self, view):
        return ("effects", view)


def test_a_server_logs_each_message_and_the_centre_that_came_of_it(events, optimizer):
    traced = TracedServer(Server(), events, optimizer)
    assert traced.on_message(Rank(3), MESSAGE) == ("effects", Rank(3), MESSAGE)
    assert traced.on_view(VIEW) == ("effects", VIEW)
    assert events.records == [
        Called(call="message", peer="worker-3-2", number=12),
        Called(call="published", step=1, learning_rate=0.25, digest=digest_of(torch.ones(2))),
        Called(call="view", ranks=(0, 3), incarnations=(0, 2)),
    ]
    assert (traced.version, float(traced.centre.live[0])) == (1, 1.0)
