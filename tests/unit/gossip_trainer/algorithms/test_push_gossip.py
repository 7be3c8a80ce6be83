import pytest
import torch

from gossip_trainer.algorithms.effects import Message, Send, Skip, Wait
from gossip_trainer.algorithms.push_gossip import PushGossip

OTHER, ANOTHER = torch.tensor([4.0, -1.0, 0.0]), torch.tensor([7.0, 2.0, 6.0])


@pytest.fixture
def pusher(worker_of):
    """Return a function that makes a worker which draws these ranks one after the other."""

    def make(draws, **settings):
        return worker_of(PushGossip, draws, **settings)

    return make


def take_in(worker, x, *models):
    for sender, model in enumerate(models, start=1):
        assert tuple(worker.on_message(sender, Message(model), x)) == ()


def test_it_sends_its_model_to_the_peer_it_drew_and_waits_for_nobody(pusher, x):
    (send,) = pusher([2]).on_step(x)
    assert isinstance(send, Send)
    assert (send.to, send.asks, send.patient) == (2, False, False)
    assert torch.equal(send.vector, x.live)


def test_what_it_sent_does_not_change_any_more(pusher, x):
    (send,) = pusher([2]).on_step(x)
    before = send.vector.clone()
    x.live.add_(1.0)
    assert torch.equal(send.vector, before)


def test_without_overlap_it_waits_until_the_peer_has_its_model(pusher, x):
    send, wait = pusher([2], overlap=False).on_step(x)
    assert wait == Wait(send)


def test_a_message_alone_changes_nothing_until_the_next_exchange(pusher, x):
    worker, before = pusher([2]), x.live.clone()
    take_in(worker, x, OTHER)
    assert torch.equal(x.live, before)


def test_it_averages_its_model_with_all_that_came_each_counting_once(pusher, x):
    worker, before = pusher([2, 2]), x.live.clone()
    take_in(worker, x, OTHER, ANOTHER)
    worker.on_step(x)
    torch.testing.assert_close(x.live, (before + OTHER + ANOTHER) / 3)


def test_it_sends_its_model_as_it_was_before_averaging(pusher, x):
    worker, before = pusher([2]), x.live.clone()
    take_in(worker, x, OTHER)
    (send,) = worker.on_step(x)
    assert torch.equal(send.vector, before)
    assert not torch.equal(x.live, before)


def test_drawing_itself_it_sends_nothing_and_counts_twice(pusher, x):
    worker, before = pusher([0]), x.live.clone()
    take_in(worker, x, OTHER)
    assert tuple(worker.on_step(x)) == ()
    torch.testing.assert_close(x.live, (2 * before + OTHER) / 3)


def test_what_came_is_averaged_in_once_only(pusher, x):
    worker = pusher([2, 2, 2])
    take_in(worker, x, OTHER)
    worker.on_step(x)
    after = x.live.clone()
    worker.on_step(x)
    assert torch.equal(x.live, after)
    take_in(worker, x, ANOTHER)
    worker.on_step(x)
    torch.testing.assert_close(x.live, (after + ANOTHER) / 2)


def test_where_nothing_came_x_is_not_touched_by_any_arithmetic(pusher, x):
    x.live[0] = float("nan")
    bits = x.live.view(torch.int32).clone()
    worker = pusher([2, 0])
    worker.on_step(x)
    worker.on_step(x)
    assert torch.equal(x.live.view(torch.int32), bits)


def test_a_message_is_copied_as_its_vector_is_not_valid_for_long(pusher, x):
    worker, before, model = pusher([2]), x.live.clone(), OTHER.clone()
    take_in(worker, x, model)
    model.fill_(1e9)
    worker.on_step(x)
    torch.testing.assert_close(x.live, (before + OTHER) / 2)


def test_while_a_message_is_under_way_it_sends_none_but_averages_all_the_same(pusher, x):
    worker, before = pusher([2]), x.live.clone()
    take_in(worker, x, OTHER)
    worker.idle = False
    assert worker.on_step(x) == (Skip(),)
    torch.testing.assert_close(x.live, (before + OTHER) / 2)


@pytest.mark.parametrize("period", [1, 3])
def test_it_exchanges_every_period_steps(pusher, x, period):
    worker = pusher([1] * 12, period=period)
    asked = [step for step in range(1, 13) if worker.on_step(x)]
    assert asked == list(range(period, 13, period))
