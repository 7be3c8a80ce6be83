import pytest
import torch

from gossip_api.topology import Topology
from gossip_trainer.algorithms.effects import Loss, Message, Send, Skip, Wait
from gossip_trainer.algorithms.push_sum import PushSum
from gossip_trainer.algorithms.selection import PeerSelection

OTHER = torch.tensor([5.0, -2.0, 3.0])


@pytest.fixture
def sharer(view_of, own_stream):
    """Return a function that makes the worker of rank 0 in a graph of `size` workers."""

    def make(*, size=8, topology="Exponential", selection="UniformOthers", **settings):
        choice = PeerSelection(Topology(type=topology), selection, 1)
        return PushSum(0, view_of(*range(size)), choice, own_stream(0), **settings)

    return make


def share(model, weight):
    return Message(model, scalars=(weight,))


def test_it_begins_with_weight_one(sharer):
    assert sharer().weight == 1.0


def test_it_shares_its_mass_equally_between_itself_and_all_its_out_peers(sharer, x):
    worker = sharer()
    sends = worker.on_step(x)
    assert all(isinstance(send, Send) and not send.asks for send in sends)
    assert [send.to for send in sends] == [1, 2, 4]
    assert [send.scalars for send in sends] == [(0.25,)] * 3
    assert all(torch.equal(send.vector, x.live) for send in sends)
    assert worker.weight == 0.25


def test_sharing_leaves_the_model_alone(sharer, x):
    before = x.live.clone()
    sharer().on_step(x)
    assert torch.equal(x.live, before)


def test_in_a_complete_graph_it_shares_with_one_of_the_others(sharer, x):
    worker, chosen = sharer(topology="Complete", size=3), set()
    for _ in range(30):
        worker.weight = 1.0
        (send,) = worker.on_step(x)
        assert send.scalars == (0.5,)
        chosen.add(send.to)
    assert chosen == {1, 2}


def test_a_worker_that_draws_itself_keeps_all_it_has(sharer, x):
    worker = sharer(topology="Complete", size=2, selection="Uniform")
    sent = [bool(worker.on_step(x)) for _ in range(20)]
    assert True in sent
    assert False in sent
    assert worker.weight == 0.5 ** sum(sent)


def test_what_it_sent_does_not_change_any_more(sharer, x):
    send, *_ = sharer().on_step(x)
    before = send.vector.clone()
    x.live.add_(1.0)
    assert torch.equal(send.vector, before)


def test_without_overlap_it_waits_until_all_peers_have_their_shares(sharer, x):
    *effects, one, two, three = sharer(overlap=False).on_step(x)
    assert [one, two, three] == [Wait(send) for send in effects]


def test_a_share_counts_as_much_as_its_weight(sharer, x):
    worker, before = sharer(), x.live.clone()
    assert tuple(worker.on_message(5, share(OTHER, 0.25), x)) == ()
    assert worker.weight == 1.25
    torch.testing.assert_close(x.live, (before + 0.25 * OTHER) / 1.25)


def test_a_share_that_is_lost_is_taken_back_with_the_model_it_held(sharer, x):
    worker, sent = sharer(), x.live.clone()
    send, *_ = worker.on_step(x)
    x.live.add_(8.0)
    assert tuple(worker.on_lost(send, Loss.PEER, x)) == ()
    assert worker.weight == 0.5
    torch.testing.assert_close(x.live, sent + 4.0)


def test_while_shares_are_under_way_it_keeps_what_it_has(sharer, x):
    worker = sharer()
    worker.idle = False
    assert worker.on_step(x) == (Skip(),)
    assert worker.weight == 1.0


def test_alone_it_shares_nothing(sharer, x):
    worker = sharer(size=1)
    assert not any(worker.on_step(x) for _ in range(5))
    assert worker.weight == 1.0


@pytest.mark.parametrize("period", [1, 3])
def test_it_shares_every_period_steps(sharer, x, period):
    worker = sharer(period=period)
    shared = [step for step in range(1, 13) if worker.on_step(x)]
    assert shared == list(range(period, 13, period))
