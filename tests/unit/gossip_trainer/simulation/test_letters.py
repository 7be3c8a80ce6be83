import pytest
import torch

from gossip_trainer.algorithms.effects import Answer, Message, Request
from gossip_trainer.simulation.letters import Asked, VirtualLetters
from gossip_trainer.training.links import Letter

REQUEST = Request("worker-1-0", 4)


def asked(request=None, answered=None, value=1.0):
    message = Message(torch.full((2,), value), request=request)
    return Asked(Letter("worker-1-0", message), answered)


@pytest.fixture
def news():
    return []


@pytest.fixture
def letters(news):
    return VirtualLetters(lambda: news.append("news"))


def test_letters_are_collected_in_the_order_in_which_they_came(letters, news):
    for value in (3.0, 1.0, 2.0):
        assert letters.deposit(asked(value=value))
    assert len(news) == 3
    collected = [float(letters.collect().message.vector[0]) for _ in range(3)]
    assert collected == [3.0, 1.0, 2.0]
    assert letters.collect() is None


def test_an_answer_goes_to_the_one_that_asked_and_to_nobody_twice(letters):
    answers = []
    letters.deposit(asked(REQUEST, answers.append))
    letters.deposit(asked(Request("worker-1-0", 5), lambda _: pytest.fail("another's answer")))
    answer = Answer(REQUEST, torch.ones(2))
    letters.answer(answer)
    assert answers == [answer]
    with pytest.raises(KeyError):
        letters.answer(answer)


def test_a_closed_box_takes_nothing_more_but_what_has_come_can_be_collected_and_answered(letters):
    answers = []
    letters.deposit(asked(REQUEST, answers.append))
    letters.close()
    assert not letters.deposit(asked())
    assert letters.collect().message.request == REQUEST
    assert letters.collect() is None
    letters.answer(Answer(REQUEST, torch.ones(2)))
    assert len(answers) == 1


def test_one_that_dies_loses_what_has_come_and_whoever_asked_is_told_so(letters):
    answers = []
    letters.deposit(asked(REQUEST, answers.append))
    letters.collect()
    letters.deposit(asked(Request("worker-1-0", 5), answers.append))
    letters.die()
    assert answers == [None, None]
    assert letters.collect() is None
    assert not letters.deposit(asked())
