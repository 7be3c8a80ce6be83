"""Whatever the network does to a message, its two ends never disagree on what became of it.

A place in a job sends to one receiver, one message after the other; its process may die and come
again under the same name or as the next incarnation. The network loses, delays, repeats and
reorders whatever is under way, and goes on delivering what a dead process sent.
"""

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gossip_trainer.transport.correspondence import Arriving, Correspondence, Kept, Owed
from gossip_trainer.transport.verdicts import Declined, Taken
from gossip_trainer.transport.wire import AnswerHeader, MessageId, Refusal

FATES = ["arrives"] * 4 + ["arrives twice", "is lost"]


@dataclass
class Process:
    """The sending end: knows what it was told."""

    incarnation: int
    started: int
    number: int = 0
    waits_for: MessageId | None = None
    asks: bool = False
    heard: dict[MessageId, object] = field(default_factory=dict)

    @property
    def name(self):
        return f"worker-3-{self.incarnation}"


class Correspondents(RuleBasedStateMachine):
    """Both ends and what is under way between them."""

    def __init__(self):
        super().__init__()
        self.correspondence = Correspondence()
        self.process = Process(0, 1)
        self.dead = []
        self.to_receiver = []  # (what, process, message, asks)
        self.to_sender = []  # (process, message, state)
        self.taken = Counter()
        self.owed = {}  # what the owner has not answered: ticket -> (process, message)
        self.answers = {}
        self.num_tickets = 0

    # The sender

    @precondition(lambda self: self.process.waits_for is None)
    @rule(asks=st.booleans())
    def send(self, asks):
        process = self.process
        process.number += 1
        process.asks = asks
        process.waits_for = MessageId(process.started, process.number)
        self.to_receiver.append(("begin", process, process.waits_for, asks))

    @precondition(lambda self: self.process.waits_for is not None)
    @rule()
    def ask_what_became(self):
        process = self.process
        self.to_receiver.append(("settle", process, process.waits_for, process.asks))

    @rule(is_replaced=st.booleans())
    def die_and_come_again(self, is_replaced):
        self.dead.append(self.process)
        old = self.process
        self.process = Process(old.incarnation + is_replaced, old.started + 1)

    # The network

    @precondition(lambda self: self.to_receiver)
    @rule(data=st.data(), fate=st.sampled_from(FATES))
    def carry_to_the_receiver(self, data, fate):
        index = data.draw(st.integers(0, len(self.to_receiver) - 1))
        item = self.to_receiver[index]
        if fate != "arrives twice":
            del self.to_receiver[index]
        if fate == "is lost":
            what, process, message, _ = item
            if what == "complete":  # the connection broke, and the receiver noticed
                self.correspondence.decline(process.name, message, Refusal.MISSED)
        else:
            self.receive(*item)

    @precondition(lambda self: self.to_sender)
    @rule(data=st.data(), fate=st.sampled_from(FATES))
    def carry_to_the_sender(self, data, fate):
        index = data.draw(st.integers(0, len(self.to_sender) - 1))
        process, message, state = self.to_sender.pop(index)
        if fate != "is lost":
            self.hear(process, message, state)

    def hear(self, process, message, state):
        if process is not self.process or process.waits_for != message:
            return  # it is dead, or has heard before
        if isinstance(state, Owed | Arriving):
            return  # it will ask again
        process.heard[message] = state
        process.waits_for = None
        if isinstance(state, Kept):
            self.to_receiver.append(("kept", process, message, True))

    # The receiver

    def receive(self, what, process, message, asks):
        correspondence, name = self.correspondence, process.name
        if what == "begin":
            state = correspondence.begin(name, message)
            if state is None:
                self.to_receiver.append(("complete", process, message, asks))
                return
        elif what == "complete":
            ticket = self.num_tickets = self.num_tickets + 1
            if correspondence.complete(name, message, ticket if asks else None):
                self.taken[name, message] += 1
                if asks:
                    self.owed[ticket] = (process, message)
            state = correspondence.state(name, message)
        elif what == "settle":
            state = correspondence.settle(name, message)
        else:
            correspondence.kept(name, message)
            return
        self.to_sender.append((process, message, state))

    @precondition(lambda self: self.owed)
    @rule(data=st.data())
    def answer(self, data):
        ticket = data.draw(st.sampled_from(sorted(self.owed)))
        process, message = self.owed.pop(ticket)
        answer = Kept(memoryview(b""), AnswerHeader(step=ticket))
        self.answers[process.name, message] = answer
        self.correspondence.answer(process.name, ticket, answer)

    # What holds

    @invariant()
    def nothing_is_taken_twice(self):
        assert all(count == 1 for count in self.taken.values())

    @invariant()
    def both_ends_agree(self):
        for process in (*self.dead, self.process):
            for message, state in process.heard.items():
                key = (process.name, message)
                if isinstance(state, Declined):
                    assert key not in self.taken
                else:
                    assert self.taken[key] == 1
                if isinstance(state, Kept):
                    assert state is self.answers[key]

    def teardown(self):
        """All that is still under way arrives, and whoever still waits is told."""
        while self.to_receiver:
            self.receive(*self.to_receiver.pop(0))
        while self.owed:
            ticket, (process, message) = self.owed.popitem()
            answer = Kept(memoryview(b""), AnswerHeader(step=ticket))
            self.answers[process.name, message] = answer
            self.correspondence.answer(process.name, ticket, answer)
        process = self.process
        if process.waits_for is not None:
            message, asks = process.waits_for, process.asks
            state = self.correspondence.settle(process.name, message)
            self.hear(process, message, state)
            assert isinstance(state, Declined | (Kept if asks else Taken))
        self.nothing_is_taken_twice()
        self.both_ends_agree()


TestCorrespondents = Correspondents.TestCase
TestCorrespondents.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
