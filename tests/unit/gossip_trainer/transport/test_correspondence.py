"""What is remembered of every sender's newest message."""

import pytest

from gossip_trainer.transport import correspondence as module
from gossip_trainer.transport.correspondence import ARRIVING, Correspondence, Kept, Owed
from gossip_trainer.transport.errors import ProtocolError
from gossip_trainer.transport.verdicts import Declined, Taken
from gossip_trainer.transport.wire import AnswerHeader, MessageId, Refusal

SENDER = "worker-3-0"
FIRST, SECOND = MessageId(100, 1), MessageId(100, 2)
ANSWER = Kept(memoryview(b"answer"), AnswerHeader(step=7))
MISSED, OUTDATED = Declined(Refusal.MISSED), Declined(Refusal.OUTDATED)


@pytest.fixture
def correspondence():
    return Correspondence()


def take(correspondence, message=FIRST, *, sender=SENDER, ticket=None):
    assert correspondence.begin(sender, message) is None
    assert correspondence.complete(sender, message, ticket)


def test_a_message_that_asks_is_owed_an_answer_which_is_kept_until_it_has_arrived(correspondence):
    take(correspondence, ticket=5)
    assert correspondence.settle(SENDER, FIRST) == Owed(5)
    assert correspondence.answer(SENDER, 5, ANSWER)
    assert correspondence.settle(SENDER, FIRST) is ANSWER
    assert correspondence.settle(SENDER, FIRST) is ANSWER
    correspondence.kept(SENDER, FIRST)
    assert correspondence.settle(SENDER, FIRST) == Taken()


def test_a_message_that_does_not_ask_is_taken(correspondence):
    take(correspondence)
    assert correspondence.settle(SENDER, FIRST) == Taken()


def test_a_repeat_is_told_what_became_of_the_first(correspondence):
    assert correspondence.begin(SENDER, FIRST) is None
    assert correspondence.begin(SENDER, FIRST) is ARRIVING
    correspondence.complete(SENDER, FIRST, None)
    assert correspondence.begin(SENDER, FIRST) == Taken()
    assert not correspondence.complete(SENDER, FIRST, None)


def test_what_is_settled_before_it_has_come_is_declined_for_ever(correspondence):
    assert correspondence.settle(SENDER, FIRST) == MISSED
    assert correspondence.begin(SENDER, FIRST) == MISSED


def test_what_is_settled_while_it_arrives_is_declined_for_ever(correspondence):
    correspondence.begin(SENDER, FIRST)
    assert correspondence.settle(SENDER, FIRST) == MISSED
    assert not correspondence.complete(SENDER, FIRST, None)


def test_what_broke_off_is_declined_for_ever(correspondence):
    correspondence.begin(SENDER, FIRST)
    correspondence.decline(SENDER, FIRST, Refusal.MISSED)
    assert correspondence.begin(SENDER, FIRST) == MISSED


def test_what_was_taken_cannot_be_declined(correspondence):
    take(correspondence)
    correspondence.decline(SENDER, FIRST, Refusal.MISSED)
    assert correspondence.settle(SENDER, FIRST) == Taken()


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ((SENDER, FIRST), (SENDER, SECOND)),
        ((SENDER, MessageId(100, 9)), (SENDER, MessageId(101, 1))),
        (("worker-3-0", MessageId(200, 9)), ("worker-3-1", FIRST)),
        ((SENDER, MessageId(100, 1, 0)), (SENDER, MessageId(100, 1, 1))),
    ],
    ids=["number", "process", "incarnation", "attempt"],
)
def test_a_newer_message_outdates_an_older_one(correspondence, older, newer):
    correspondence.begin(*older)
    take(correspondence, newer[1], sender=newer[0])
    assert not correspondence.complete(*older, None)
    assert correspondence.begin(*older) == OUTDATED
    assert correspondence.settle(*older) == OUTDATED
    assert correspondence.settle(*newer) == Taken()


def test_a_newer_message_drops_the_answer_to_an_older_one(correspondence):
    take(correspondence, ticket=1)
    correspondence.answer(SENDER, 1, ANSWER)
    take(correspondence, SECOND, ticket=2)
    assert correspondence.settle(SENDER, SECOND) == Owed(2)


def test_an_answer_nobody_waits_for_any_more_goes_nowhere(correspondence):
    take(correspondence, ticket=1)
    take(correspondence, MessageId(101, 1), ticket=2)
    assert not correspondence.answer(SENDER, 1, ANSWER)
    assert correspondence.settle(SENDER, MessageId(101, 1)) == Owed(2)
    assert not correspondence.answer("worker-4-0", 1, ANSWER)


def test_places_do_not_meet(correspondence):
    take(correspondence, SECOND)
    take(correspondence, FIRST, sender="worker-4-0")
    take(correspondence, FIRST, sender="server-3-0")


def test_a_receiver_that_closes_for_good_declines_what_it_owes(correspondence):
    take(correspondence, ticket=1)
    take(correspondence, sender="worker-4-0")
    correspondence.close()
    assert correspondence.settle(SENDER, FIRST) == Declined(Refusal.FINISHED)
    assert correspondence.settle("worker-4-0", FIRST) == Taken()


def test_only_members_send(correspondence):
    with pytest.raises(ProtocolError, match="'a stranger', which is no member's name"):
        correspondence.begin("a stranger", FIRST)


def test_only_so_many_places_are_remembered(correspondence, monkeypatch):
    monkeypatch.setattr(module, "MAX_SENDERS", 2)
    for rank in range(2):
        take(correspondence, sender=f"worker-{rank}-0")
    assert correspondence.begin("worker-2-0", FIRST) == Declined(Refusal.FULL)
    take(correspondence, SECOND, sender="worker-1-0")
