import pytest
import torch

from gossip_trainer.algorithms.effects import Answer, Loss, Message, Request, Send, Skip, Wait
from gossip_trainer.algorithms.pairwise import Pairwise

OTHER = torch.tensor([5.0, -2.0, 3.0])
REQUEST = Request("worker-1", 7)


@pytest.fixture
def pair(worker_of):
    """Return a function that makes a worker which draws these ranks one after the other."""

    def make(draws, **settings):
        return worker_of(Pairwise, draws, **settings)

    return make


def proposal(model=OTHER):
    return Message(model, request=REQUEST)


def test_it_proposes_its_model_to_the_peer_it_drew(pair, x):
    (send,) = pair([3]).on_step(x)
    assert isinstance(send, Send)
    assert (send.to, send.asks) == (3, True)
    assert torch.equal(send.vector, x.live)
    assert send.vector.data_ptr() != x.live.data_ptr()


def test_without_overlap_it_waits_for_the_answer(pair, x):
    send, wait = pair([3], overlap=False).on_step(x)
    assert wait == Wait(send)


def test_drawing_itself_it_proposes_nothing(pair, x):
    assert tuple(pair([0]).on_step(x)) == ()


@pytest.mark.parametrize("weight", [0.5, 0.25, 1.0])
def test_it_moves_towards_who_proposes_and_answers_by_how_much(pair, x, weight):
    before = x.live.clone()
    (answer,) = pair([], mixing_weight=weight).on_message(1, proposal(), x)
    assert isinstance(answer, Answer)
    assert answer.request == REQUEST
    torch.testing.assert_close(answer.vector, weight * (OTHER - before))
    torch.testing.assert_close(x.live, before + answer.vector)


def test_by_default_both_go_to_the_middle(pair, x):
    before = x.live.clone()
    pair([]).on_message(1, proposal(), x)
    torch.testing.assert_close(x.live, (before + OTHER) / 2)


def test_it_moves_the_other_way_by_as_much_as_its_peer_did_from_where_it_is_by_then(pair, x):
    worker = pair([3])
    (send,) = worker.on_step(x)
    x.live.add_(10.0)
    by_then, difference = x.live.clone(), torch.tensor([1.0, -1.0, 0.5])
    assert tuple(worker.on_answer(send, Message(difference), x)) == ()
    assert torch.equal(x.live, by_then - difference)


def test_while_its_own_proposal_is_under_way_it_moves_half_as_far(pair, x):
    worker = pair([3, 3])
    (send,) = worker.on_step(x)
    before = x.live.clone()
    (answer,) = worker.on_message(1, proposal(), x)
    torch.testing.assert_close(answer.vector, (OTHER - before) / 4)
    worker.on_answer(send, Message(torch.zeros(3)), x)
    before = x.live.clone()
    (answer,) = worker.on_message(1, proposal(), x)
    torch.testing.assert_close(answer.vector, (OTHER - before) / 2)


def test_a_proposal_that_is_lost_leaves_x_alone_and_is_under_way_no_more(pair, x):
    worker, before = pair([3]), x.live.clone()
    (send,) = worker.on_step(x)
    assert tuple(worker.on_lost(send, Loss.PEER, x)) == ()
    assert torch.equal(x.live, before)
    (answer,) = worker.on_message(1, proposal(), x)
    torch.testing.assert_close(answer.vector, (OTHER - before) / 2)


def test_while_an_exchange_is_under_way_it_skips_the_next(pair, x):
    worker = pair([3])
    worker.idle = False
    assert worker.on_step(x) == (Skip(),)


@pytest.mark.parametrize("period", [1, 3])
def test_it_exchanges_every_period_steps(pair, x, period):
    worker = pair([1] * 12, period=period)
    asked = [step for step in range(1, 13) if worker.on_step(x)]
    assert asked == list(range(period, 13, period))
