"""What the algorithms do where vectors are made smaller; laws are in tests/property."""

from datetime import timedelta

import pytest
import torch

from gossip_api.compression import Compression
from gossip_trainer.algorithms.effects import Fetch, Message, Request, Send, Shard
from gossip_trainer.algorithms.elastic_averaging import ElasticAveraging, ElasticServer
from gossip_trainer.algorithms.iterate import Iterate, LookAhead
from gossip_trainer.algorithms.noloco import NoLoCo
from gossip_trainer.algorithms.pairwise import Pairwise
from gossip_trainer.algorithms.pull_gossip import PullGossip
from gossip_trainer.algorithms.push_sum import PushSum
from gossip_trainer.algorithms.view import make_view
from gossip_trainer.compression.codec import codec_of
from gossip_trainer.compression.excerpt import Excerpt, Reading

SIZE = 64
PAIR = make_view(1, {0: 0, 1: 0})
WHOLE = {Shard(0): slice(0, SIZE)}


def codec(kind="BFloat16", seed=1):
    return codec_of(Compression(type=kind), seed)


def random(seed):
    return torch.randn(SIZE, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def point():
    return Iterate(random(1))


@pytest.fixture
def shifted():
    """A point under Nesterov momentum, of whose values the last eight are buffers."""
    return Iterate(random(1), LookAhead(random(2)[: SIZE - 8], 0.5))


def partial_puller(worker_of):
    reading = Reading(Compression(type="Partial"), 1)
    return worker_of(PullGossip, [1], mixing_weight=0.25, reading=reading)


@pytest.mark.parametrize("fragment", range(4))
def test_of_a_fragment_that_came_only_that_is_averaged(worker_of, shifted, fragment):
    worker = partial_puller(worker_of)
    excerpt = Excerpt(16 * fragment, 16 * (fragment + 1))
    before, theirs = shifted.copy(), random(3)
    worker.on_answer(Fetch(1, excerpt), Message(excerpt.of(theirs)), shifted)
    part = slice(excerpt.start, excerpt.stop)
    expected = before.clone()
    expected[part] = 0.75 * before[part] + 0.25 * theirs[part]
    torch.testing.assert_close(shifted.copy(), expected)


def test_a_fetch_says_which_fragment_it_wants(worker_of, point):
    (fetch,) = partial_puller(worker_of).on_step(point)
    assert fetch.peer == 1
    assert fetch.excerpt.stop - fetch.excerpt.start == SIZE / 4
    assert fetch.excerpt.seed is None


def test_what_was_read_rounded_is_averaged_as_it_was_rounded(worker_of, shifted):
    worker = worker_of(
        PullGossip, [1], reading=Reading(Compression(type="BFloat16"), 1), overlap=False
    )
    before, theirs = shifted.copy(), random(3)
    fetch, _ = worker.on_step(shifted)
    read = fetch.excerpt.of(theirs)
    worker.on_answer(fetch, Message(read), shifted)
    rounded = read.view(torch.bfloat16).float()
    torch.testing.assert_close(shifted.copy(), (before + rounded) / 2)
    assert not torch.equal(rounded, theirs)


def test_both_of_a_pair_move_by_the_difference_as_it_was_rounded(worker_of, point):
    proposer = worker_of(Pairwise, [1], codec=codec(seed=1))
    other = worker_of(Pairwise, [], rank=1, codec=codec(seed=2))
    theirs = Iterate(random(2))
    total = point.copy() + theirs.copy()
    (send,) = proposer.on_step(point)
    assert send.vector.nbytes == 2 * SIZE
    (answer,) = other.on_message(0, Message(send.vector, request=Request("worker-0", 1)), theirs)
    assert answer.vector.nbytes == 2 * SIZE
    proposer.on_answer(send, Message(answer.vector), point)
    torch.testing.assert_close(point.copy() + theirs.copy(), total)


def test_the_sender_of_a_rounded_share_keeps_what_rounding_took_from_it(worker_of, point):
    sender, mass = worker_of(PushSum, [1], codec=codec()), point.copy()
    (send,) = sender.on_step(point)
    share = send.vector.view(torch.bfloat16).float()
    assert (sender.weight, send.scalars) == (0.5, (0.5,))
    torch.testing.assert_close(0.5 * point.copy() + 0.5 * share, mass)
    assert not torch.equal(point.copy(), mass)
    torch.testing.assert_close(point.copy(), mass, atol=0.04, rtol=0)


def noloco(rank):
    return NoLoCo(
        rank,
        PAIR,
        SIZE,
        period=1,
        learning_rate=0.5,
        momentum=0.0,
        deadline=timedelta(seconds=30),
        seed=1,
        codec=codec(seed=rank),
    )


def test_partners_of_an_outer_step_take_the_same_mean_though_both_were_rounded():
    points, workers = [Iterate(torch.zeros(SIZE)) for _ in range(2)], [noloco(0), noloco(1)]
    sends = []
    for rank, worker in enumerate(workers):
        worker.before_step(points[rank])
        points[rank].live.copy_(random(rank))
        sends.append(worker.on_step(points[rank])[0])
    for rank, worker in enumerate(workers):
        theirs = sends[1 - rank]
        worker.on_message(1 - rank, Message(theirs.vector, scalars=theirs.scalars), points[rank])
    assert torch.equal(points[0].live, points[1].live)
    torch.testing.assert_close(points[0].live, (random(0) + random(1)) / 4, atol=0.02, rtol=0)


def elastic(kind="Int8"):
    return ElasticAveraging(0, PAIR, WHOLE, codec=codec(kind), by_differences=kind == "Int8")


def show(worker, point, number=1):
    (send,) = worker.on_gradient(point, torch.zeros(SIZE))
    return send, Message(send.vector, 0, send.scalars, number, Request("worker-0", number))


def test_the_server_learns_of_a_point_by_numbered_differences(point):
    worker, server = elastic(), ElasticServer(torch.zeros(SIZE), 0.25, codec("Int8"))
    for number in range(3):
        send, message = show(worker, point, number)
        assert send.scalars == (float(number),)
        (answer,) = server.on_message(0, message)
        worker.on_answer(send, Message(answer.vector), point)
        torch.testing.assert_close(server._shown[0].known, worker._shown[Shard(0)].known)
    assert server.version == 3


def test_a_difference_that_a_new_server_cannot_place_is_answered_with_nothing(point):
    worker, old = elastic(), ElasticServer(torch.zeros(SIZE), 0.25, codec("Int8"))
    send, message = show(worker, point)
    (answer,) = old.on_message(0, message)
    worker.on_answer(send, Message(answer.vector), point)

    new, before = ElasticServer(torch.zeros(SIZE), 0.25, codec("Int8")), point.copy()
    send, message = show(worker, point, 2)
    (answer,) = new.on_message(0, message)
    assert (answer.vector.numel(), new.version) == (0, 0)
    worker.on_answer(send, Message(answer.vector), point)
    assert torch.equal(point.copy(), before)
    assert show(worker, point)[0].scalars == (0.0,)


def test_a_server_forgets_the_points_of_those_that_are_gone(point):
    server = ElasticServer(torch.zeros(SIZE), 0.25, codec("Int8"))
    server.on_message(0, show(elastic(), point)[1])
    server.on_view(make_view(2, {1: 0}))
    assert server._shown == {}


def test_a_rounded_point_is_shown_without_a_number(point):
    send, _ = show(elastic("BFloat16"), point)
    assert isinstance(send, Send)
    assert (send.vector.nbytes, send.scalars) == (2 * SIZE, ())
