from collections import Counter
from datetime import timedelta

import pytest
import torch
from scipy.stats import chisquare

from gossip_trainer.algorithms.effects import Hear, Loss, Message, Skip, Wait
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.algorithms.noloco import NoLoCo, partner_of
from gossip_trainer.algorithms.view import make_view

DEADLINE = timedelta(seconds=30)


def view_of(size):
    return make_view(1, dict.fromkeys(range(size), 0))


def noloco(rank=0, *, view=None, period=1, learning_rate=0.5, momentum=0.0, num_parameters=1):
    return NoLoCo(
        rank,
        view or view_of(2),
        num_parameters,
        period=period,
        learning_rate=learning_rate,
        momentum=momentum,
        deadline=DEADLINE,
        seed=1,
    )


def local_step(worker, x, value):
    """Take a local step that sets all of x to `value`; return the effects."""
    worker.before_step(x)
    x.live.fill_(value)
    return tuple(worker.on_step(x))


def message(value, round_, size=1):
    return Message(torch.full((size,), value), scalars=(float(round_),))


@pytest.fixture
def x():
    return Iterate(torch.zeros(1))


def test_every_period_steps_it_sends_its_x_and_waits_for_its_partners(x):
    worker = noloco(period=2)
    assert local_step(worker, x, 1.0) == ()
    send, hear, sent = local_step(worker, x, 4.0)
    assert (send.to, send.vector.tolist(), send.scalars, send.asks) == (1, [4.0], (0.0,), False)
    assert hear == Wait(Hear(1, 0.0, 30.0))
    assert sent == Wait(send)


def test_it_moves_from_where_it_began_towards_the_mean_of_the_pair(x):
    worker = noloco(learning_rate=0.5)
    local_step(worker, x, 4.0)
    assert tuple(worker.on_message(1, message(2.0, 0), x)) == ()
    assert x.live.item() == 0.5 * 3.0
    local_step(worker, x, 2.0)
    worker.on_message(1, message(5.0, 1), x)
    assert x.live.item() == 1.5 + 0.5 * (3.5 - 1.5)


def test_the_outer_momentum_is_the_heavy_balls(x):
    worker, phi, velocity = noloco(learning_rate=0.7, momentum=0.5), 0.0, 0.0
    for round_, (own, theirs) in enumerate([(1.0, 3.0), (-2.0, 0.5), (4.0, 4.0), (0.0, 1.0)]):
        local_step(worker, x, own)
        worker.on_message(1, message(theirs, round_), x)
        velocity = 0.5 * velocity + 0.7 * ((own + theirs) / 2 - phi)
        phi += velocity
        assert x.live.item() == pytest.approx(phi)


def test_a_partner_that_is_early_is_heard_in_its_round(x):
    worker = noloco(learning_rate=1.0)
    early = message(2.0, 0)
    worker.on_message(1, early, x)
    early.vector.zero_()
    assert x.live.item() == 0.0
    send, sent = local_step(worker, x, 4.0)
    assert (send.vector.tolist(), sent) == ([4.0], Wait(send))
    assert x.live.item() == 3.0


def test_a_message_of_a_round_that_is_over_is_ignored(x):
    worker = noloco(learning_rate=1.0)
    local_step(worker, x, 4.0)
    worker.on_message(1, message(2.0, 0), x)
    local_step(worker, x, 8.0)
    worker.on_message(1, message(100.0, 0), x)
    assert x.live.item() == 8.0
    assert worker._early == {}
    worker.on_message(1, message(10.0, 1), x)
    assert x.live.item() == 9.0


def test_what_was_early_for_another_partners_round_is_let_go_of_in_time(x):
    worker = noloco()
    worker.on_message(7, message(100.0, 0), x)
    local_step(worker, x, 4.0)
    worker.on_message(1, message(2.0, 0), x)
    assert worker._early == {}


@pytest.mark.parametrize("reason", Loss)
def test_after_waiting_in_vain_it_takes_the_outer_step_alone(x, reason):
    worker = noloco(learning_rate=0.5)
    _, hear, _ = local_step(worker, x, 4.0)
    worker.on_lost(hear.effect, reason, x)
    assert x.live.item() == 2.0
    worker.on_message(1, message(100.0, 0), x)
    assert x.live.item() == 2.0, "the round is over"


def test_a_message_of_its_own_that_was_lost_changes_nothing(x):
    worker = noloco()
    send, *_ = local_step(worker, x, 4.0)
    worker.on_lost(send, Loss.PEER, x)
    assert x.live.item() == 4.0


def test_with_nobody_to_meet_it_takes_the_outer_step_alone(x):
    worker = noloco(view=view_of(1), learning_rate=0.5)
    assert local_step(worker, x, 4.0) == ()
    assert x.live.item() == 2.0


def test_while_its_last_message_is_under_way_it_takes_the_outer_step_alone(x):
    worker = noloco(learning_rate=0.5)
    worker.idle = False
    assert local_step(worker, x, 4.0) == (Skip(),)
    assert x.live.item() == 2.0


def test_buffers_are_averaged_plainly_whatever_the_outer_optimizer():
    x = Iterate(torch.zeros(2))
    worker = noloco(num_parameters=1, learning_rate=0.1, momentum=0.9)
    for round_, (own, theirs) in enumerate([(4.0, 2.0), (1.0, 5.0), (0.0, 1.0)]):
        local_step(worker, x, own)
        worker.on_message(1, message(theirs, round_, size=2), x)
        assert x.live[1].item() == pytest.approx((own + theirs) / 2)


def test_a_replacement_steps_alone_until_it_hears_of_a_round_and_joins_in_there(x):
    worker = noloco(view=make_view(5, {0: 1, 1: 0}), learning_rate=1.0)
    assert local_step(worker, x, 4.0) == ()
    worker.on_message(1, message(2.0, 7), x)
    send, _ = local_step(worker, x, 6.0)
    assert send.scalars == (7.0,)
    assert x.live.item() == 4.0


@pytest.mark.parametrize("size", [2, 3, 8, 9])
def test_partners_are_each_others_and_at_most_one_worker_has_none(size):
    view = view_of(size)
    for round_ in range(30):
        partners = {r: partner_of(r, view, seed=1, round_=round_) for r in range(size)}
        alone = [rank for rank, partner in partners.items() if partner is None]
        assert len(alone) == size % 2
        assert all(partners[p] == r != p for r, p in partners.items() if p is not None)


def test_all_pairs_are_equally_likely():
    view = view_of(5)
    counts = Counter(partner_of(2, view, seed=1, round_=round_) for round_ in range(2000))
    assert set(counts) == {0, 1, 3, 4, None}
    assert chisquare(list(counts.values())).pvalue > 1e-3


def test_another_seed_matches_otherwise():
    def partners(seed):
        return [partner_of(0, view_of(8), seed=seed, round_=round_) for round_ in range(20)]

    assert partners(1) == partners(1)
    assert partners(1) != partners(2)


def test_who_goes_on_from_its_own_state_trains_on_as_it_would_have_and_meets_its_partner():
    def worker_of(incarnation):
        return noloco(view=make_view(1, {0: incarnation, 1: incarnation}), momentum=0.9)

    one, x = worker_of(0), Iterate(torch.zeros(1))
    local_step(one, x, 4.0)
    one.on_message(1, message(2.0, 0), x)
    state = one.state(x)
    other, at = worker_of(1), Iterate(x.copy())
    for kept, vector in zip(other.state(at).vectors, state.vectors, strict=True):
        kept.copy_(vector)
    other.restore(state.counts)
    for each, where in ((one, x), (other, at)):
        send, *_ = local_step(each, where, 7.0)
        assert send.scalars == (1.0,)
        each.on_message(1, message(3.0, 1), where)
    assert torch.equal(x.live, at.live)
