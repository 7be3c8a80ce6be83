import pytest
import torch

from gossip_api.topology import Topology
from gossip_trainer.algorithms.effects import Fetch, Loss, Message, Skip, Wait
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.algorithms.pull_gossip import PullGossip
from gossip_trainer.algorithms.selection import PeerSelection


@pytest.fixture
def gossip(worker_of):
    """Return a function that makes a worker which draws these ranks one after the other."""

    def make(draws, **settings):
        return worker_of(PullGossip, draws, **settings)

    return make


def test_it_fetches_from_the_peer_it_drew(x, gossip):
    worker = gossip([2, 3, 1])
    assert [worker.on_step(x) for _ in range(3)] == [(Fetch(2),), (Fetch(3),), (Fetch(1),)]


def test_drawing_itself_it_asks_for_nothing_and_leaves_x_alone(x, gossip):
    before = x.live.clone()
    assert tuple(gossip([1], rank=1).on_step(x)) == ()
    assert torch.equal(x.live, before)


@pytest.mark.parametrize("period", [1, 2, 5])
def test_it_exchanges_every_period_steps_and_not_at_the_first(x, period, gossip):
    worker = gossip([1] * 20, period=period)
    asked = [step for step in range(1, 21) if worker.on_step(x)]
    assert asked == list(range(period, 21, period))


def test_it_draws_from_its_stream_only_when_an_exchange_is_due(x, gossip):
    worker = gossip([3], period=4)
    assert [tuple(worker.on_step(x)) for _ in range(4)] == [(), (), (), (Fetch(3),)]


def test_with_overlap_it_waits_for_nobody(x, gossip):
    assert gossip([1], overlap=True).on_step(x) == (Fetch(1),)


def test_without_overlap_it_waits_for_what_it_fetches(x, gossip):
    assert gossip([1], overlap=False).on_step(x) == (Fetch(1), Wait(Fetch(1)))


def test_without_overlap_drawing_itself_it_waits_for_nothing(x, gossip):
    assert tuple(gossip([0], overlap=False).on_step(x)) == ()


@pytest.mark.parametrize("weight", [0.5, 0.25, 1.0])
def test_a_peers_model_is_mixed_in_with_the_mixing_weight(x, weight, gossip):
    other = torch.tensor([5.0, -2.0, 3.0])
    expected = (1 - weight) * x.live + weight * other
    worker = gossip([1], mixing_weight=weight)
    assert tuple(worker.on_answer(Fetch(1), Message(other, step=7), x)) == ()
    torch.testing.assert_close(x.live, expected, rtol=0, atol=1e-6)


def test_by_default_the_two_models_are_averaged(x, gossip):
    gossip([1]).on_answer(Fetch(1), Message(torch.tensor([3.0, 0.0, 3.0]), step=0), x)
    assert torch.equal(x.live, torch.tensor([2.0, 1.0, 3.0]))


def test_a_lost_fetch_changes_nothing_and_the_next_period_asks_again(x, gossip):
    worker, before = gossip([1, 2]), x.live.clone()
    (fetch,) = worker.on_step(x)
    for reason in Loss:
        assert tuple(worker.on_lost(fetch, reason, x)) == ()
    assert torch.equal(x.live, before)
    assert worker.on_step(x) == (Fetch(2),)


def test_the_gradient_is_taken_before_the_step_and_the_step_before_the_average(gossip):
    # f(x) = x^2 / 2, so g(x0) = x0 and x1 = (x0 - eta x0 + y) / 2.
    x0, y, eta = torch.tensor([4.0, -2.0]), torch.tensor([1.0, 6.0]), 0.25
    theta = torch.nn.Parameter(x0.clone())
    optimizer = torch.optim.SGD([theta], lr=eta)
    x, worker = Iterate(theta.data), gossip([1], overlap=False)
    theta.square().sum().div(2).backward()
    assert tuple(worker.on_gradient(x, theta.grad)) == ()
    optimizer.step()
    assert worker.on_step(x) == (Fetch(1), Wait(Fetch(1)))
    worker.on_answer(Fetch(1), Message(y, step=1), x)
    assert torch.equal(theta.data, (x0 - eta * x0 + y) / 2)


def test_while_an_exchange_is_under_way_it_skips_the_next_without_a_draw(gossip, x):
    worker = gossip([3])
    worker.idle = False
    assert worker.on_step(x) == (Skip(),)
    worker.idle = True
    assert worker.on_step(x) == (Fetch(3),)


def test_on_a_new_view_it_chooses_among_the_new_members_only(own_stream, view_of, x):
    selection = PeerSelection(Topology(), "Uniform", 1)
    worker = PullGossip(0, view_of(0, 1, 2, 3), selection, own_stream(0))
    assert tuple(worker.on_view(view_of(0, 5, 9))) == ()
    chosen = {effects[0].peer for _ in range(100) if (effects := worker.on_step(x))}
    assert chosen == {5, 9}


def test_alone_in_its_view_it_never_asks_for_anything(gossip, x):
    worker = gossip([0] * 20, size=1, overlap=False)
    assert not any(worker.on_step(x) for _ in range(20))
