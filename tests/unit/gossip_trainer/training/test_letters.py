import pytest
import torch

from gossip_trainer.algorithms.effects import Answer, Request
from gossip_trainer.training.letters import MailboxLetters
from gossip_trainer.transport.correspondence import Kept
from gossip_trainer.transport.mailbox import Mailbox
from gossip_trainer.transport.wire import MessageHeader, MessageId

SENDER = "worker-3-0"


@pytest.fixture
def mailbox():
    return Mailbox(4 * 4, capacity=1, on_news=lambda: None)


@pytest.fixture
def letters(mailbox):
    return MailboxLetters(mailbox, torch.float32)


def deposit(mailbox, values=(1.0, 2.0, 3.0, 4.0), *, number=7, asks=False):
    header = MessageHeader(MessageId(100, number), asks, 5, (0.5, 2.0))
    content = torch.tensor(values).numpy().tobytes() if values else b""
    arrival = mailbox.begin(SENDER, header, len(content), 0.0)
    arrival.memory[: len(content)] = content
    mailbox.complete(arrival)
    return header.id


def test_nothing_has_come_at_first(letters):
    assert letters.collect() is None


def test_a_message_comes_with_its_vector_and_all_that_was_said(letters, mailbox):
    deposit(mailbox)
    letter = letters.collect()
    assert letter.sender == SENDER
    message = letter.message
    assert torch.equal(message.vector, torch.tensor([1.0, 2.0, 3.0, 4.0]))
    assert (message.step, message.scalars, message.number) == (5, (0.5, 2.0), 7)
    assert (message.request, message.member) == (None, SENDER)


def test_an_empty_message_has_an_empty_vector_of_the_same_kind(letters, mailbox):
    deposit(mailbox, values=())
    vector = letters.collect().message.vector
    assert (vector.numel(), vector.dtype) == (0, torch.float32)


def test_the_memory_is_given_back_with_the_letter_and_not_before(letters, mailbox):
    deposit(mailbox, number=7)
    letter = letters.collect()
    header = MessageHeader(MessageId(100, 8), asks=False, step=0, scalars=())
    assert not hasattr(mailbox.begin(SENDER, header, 16, 0.0), "memory")  # the only place is taken
    letters.release(letter)
    deposit(mailbox, (9.0, 9.0, 9.0, 9.0), number=9)
    assert float(letters.collect().message.vector[0]) == 9.0


@pytest.mark.parametrize("release_first", [True, False])
def test_an_answer_finds_its_question_before_and_after_the_letter_was_released(
    letters, mailbox, release_first
):
    asked = deposit(mailbox, asks=True)
    letter = letters.collect()
    request = letter.message.request
    assert request.sender == SENDER
    if release_first:
        letters.release(letter)
    letters.answer(Answer(request, torch.tensor([8.0]), (0.25,), step=12))
    state = mailbox.state(SENDER, asked, 0.0)
    assert isinstance(state, Kept)
    assert bytes(state.memory) == torch.tensor([8.0]).numpy().tobytes()
    assert (state.header.step, state.header.scalars) == (12, (0.25,))


def test_an_answer_to_one_that_is_gone_is_no_fault(letters):
    letters.answer(Answer(Request("worker-9-0", 1), torch.empty(0)))


def test_a_closed_box_still_gives_what_has_come(letters, mailbox):
    deposit(mailbox)
    letters.close()
    assert letters.collect() is not None
    header = MessageHeader(MessageId(100, 8), asks=False, step=0, scalars=())
    assert not hasattr(mailbox.begin(SENDER, header, 16, 0.0), "memory")
