"""The box between the serving threads and the owner."""

import threading
import time

import pytest

from gossip_trainer.transport.correspondence import Kept, Owed
from gossip_trainer.transport.mailbox import Arrival, Mailbox
from gossip_trainer.transport.verdicts import Declined, Taken
from gossip_trainer.transport.wire import AnswerHeader, MessageHeader, MessageId, Refusal

NUM_BYTES = 8
SENDER = "worker-3-0"
SECONDS = 10.0


class Bell:
    def __init__(self):
        self.num_rings = 0

    def __call__(self):
        self.num_rings += 1


@pytest.fixture
def bell():
    return Bell()


@pytest.fixture
def mailbox(bell):
    return Mailbox(NUM_BYTES, capacity=2, on_news=bell)


def header(number=1, *, asks=False, started=100):
    return MessageHeader(MessageId(started, number), asks, step=4, scalars=(0.5,))


def deposit(mailbox, content=b"12345678", *, sender=SENDER, **said):
    arrival = mailbox.begin(sender, header(**said), len(content), 0.0)
    assert isinstance(arrival, Arrival), arrival
    arrival.memory[:] = content
    mailbox.complete(arrival)
    return arrival.header.id


def test_what_was_deposited_is_collected_with_all_that_was_said_in_the_order_it_came(mailbox, bell):
    deposit(mailbox, asks=True)
    deposit(mailbox, b"", sender="worker-4-0", number=9)
    assert bell.num_rings == 2
    first, second = mailbox.collect(), mailbox.collect()
    assert (first.sender, first.number, bytes(first.memory)) == (SENDER, 1, b"12345678")
    assert (first.asks, first.step, first.scalars) == (True, 4, (0.5,))
    assert (second.sender, second.number, bytes(second.memory)) == ("worker-4-0", 9, b"")
    assert not second.asks
    assert mailbox.collect() is None


def test_nothing_is_collected_before_its_last_byte(mailbox, bell):
    mailbox.begin(SENDER, header(), NUM_BYTES, 0.0)
    assert mailbox.collect() is None
    assert bell.num_rings == 0


def test_a_full_mailbox_declines_after_a_while(mailbox):
    for rank in range(2):
        deposit(mailbox, sender=f"worker-{rank}-0")
    began = time.monotonic()
    assert mailbox.begin(SENDER, header(), NUM_BYTES, 0.05) == Declined(Refusal.FULL)
    assert time.monotonic() - began >= 0.05
    assert mailbox.settle(SENDER, header().id, 0.0) == Declined(Refusal.FULL)


def test_empty_messages_fill_it_too(mailbox):
    for rank in range(2):
        deposit(mailbox, b"", sender=f"worker-{rank}-0")
    assert mailbox.begin(SENDER, header(), 0, 0.0) == Declined(Refusal.FULL)


@pytest.mark.parametrize("leave", ["release", "abandon", "settle"])
def test_room_is_made_by_whatever_ends_a_message(mailbox, leave):
    deposit(mailbox, sender="worker-4-0")
    last = mailbox.begin("worker-5-0", header(), NUM_BYTES, 0.0)
    if leave == "release":
        mailbox.release(mailbox.collect())
    elif leave == "abandon":
        mailbox.abandon(last)
    else:
        mailbox.settle("worker-5-0", last.header.id, 0.0)
        mailbox.complete(last)
    deposit(mailbox)


def test_a_message_that_was_abandoned_does_not_come_again(mailbox):
    arrival = mailbox.begin(SENDER, header(), NUM_BYTES, 0.0)
    mailbox.abandon(arrival)
    assert mailbox.begin(SENDER, header(), NUM_BYTES, 0.0) == Declined(Refusal.MISSED)


def test_a_message_waits_for_room(mailbox):
    for rank in range(2):
        deposit(mailbox, sender=f"worker-{rank}-0")
    results = []
    waiting = threading.Thread(
        target=lambda: results.append(mailbox.begin(SENDER, header(), NUM_BYTES, SECONDS))
    )
    waiting.start()
    mailbox.release(mailbox.collect())
    waiting.join(SECONDS)
    assert isinstance(results[0], Arrival)


def test_memory_is_made_when_it_is_first_needed_and_used_again(mailbox):
    assert not mailbox._buffers
    for number in range(1, 6):
        deposit(mailbox, number=number)
        mailbox.release(mailbox.collect())
    assert len(mailbox._buffers) == 1


def test_an_answer_reaches_whoever_waits_for_it(mailbox):
    message = deposit(mailbox, asks=True)
    states = []
    waiting = threading.Thread(
        target=lambda: states.append(mailbox.state(SENDER, message, SECONDS))
    )
    waiting.start()
    delivery = mailbox.collect()
    mailbox.answer(SENDER, delivery.ticket, memoryview(b"answered"), step=9, scalars=(2.0,))
    waiting.join(SECONDS)
    (state,) = states
    assert isinstance(state, Kept)
    assert (bytes(state.memory), state.header) == (b"answered", AnswerHeader(9, (2.0,)))
    mailbox.kept(SENDER, message)
    assert mailbox.settle(SENDER, message, 0.0) == Taken()


def test_a_late_answer_is_waited_for_only_so_long(mailbox):
    message = deposit(mailbox, asks=True)
    began = time.monotonic()
    assert isinstance(mailbox.settle(SENDER, message, 0.05), Owed)
    assert time.monotonic() - began >= 0.05


def test_the_answer_to_a_process_that_has_come_again_is_not_given_to_its_successor(mailbox):
    deposit(mailbox, asks=True, started=100)
    again = deposit(mailbox, asks=True, started=101)
    first, second = mailbox.collect(), mailbox.collect()
    assert first.number == second.number
    mailbox.answer(SENDER, first.ticket, memoryview(b"old"))
    assert isinstance(mailbox.settle(SENDER, again, 0.0), Owed)
    mailbox.answer(SENDER, second.ticket, memoryview(b"new"))
    assert bytes(mailbox.settle(SENDER, again, 0.0).memory) == b"new"


def test_a_closed_mailbox_takes_no_more_but_gives_and_answers_what_it_has(mailbox):
    message = deposit(mailbox, asks=True)
    arriving = mailbox.begin("worker-5-0", header(), NUM_BYTES, 0.0)
    mailbox.close()
    finished = Declined(Refusal.FINISHED)
    assert mailbox.begin("worker-4-0", header(), NUM_BYTES, SECONDS) == finished
    mailbox.complete(arriving)
    assert mailbox.settle("worker-5-0", arriving.header.id, 0.0) == finished
    delivery = mailbox.collect()
    mailbox.answer(SENDER, delivery.ticket, memoryview(b"a"))
    assert isinstance(mailbox.settle(SENDER, message, 0.0), Kept)
    assert mailbox.collect() is None


def test_closed_at_once_it_gives_nothing_and_tells_those_that_ask(mailbox):
    message = deposit(mailbox, asks=True)
    mailbox.close(now=True)
    assert mailbox.collect() is None
    assert mailbox.settle(SENDER, message, SECONDS) == Declined(Refusal.FINISHED)
