import pytest
import torch

from gossip_trainer.algorithms.effects import Answer, Message, Request, Send, Shard, Skip, Wait
from gossip_trainer.algorithms.elastic_averaging import ElasticAveraging, ElasticServer
from gossip_trainer.algorithms.iterate import Iterate, LookAhead
from gossip_trainer.algorithms.view import make_view

VIEW = make_view(1, {0: 0, 1: 0})
WHOLE = {Shard(0): slice(0, 4)}
HALVES = {Shard(0): slice(0, 2), Shard(1): slice(2, 4)}
GRADIENT = torch.zeros(4)


@pytest.fixture
def x():
    return Iterate(torch.tensor([1.0, 2.0, 3.0, 4.0]))


def worker(shards=WHOLE, **settings):
    return ElasticAveraging(0, VIEW, shards, **settings)


def ask(vector, *, number=1, sender="worker-0"):
    return Message(vector, request=Request(sender, number))


@pytest.mark.parametrize("period", [1, 3])
def test_it_exchanges_every_period_steps_and_not_at_the_first(x, period):
    algorithm = worker(period=period)
    asked = [step for step in range(1, 10) if algorithm.on_gradient(x, GRADIENT)]
    assert asked == list(range(period, 10, period))


def test_it_shows_every_server_its_own_part_of_x(x):
    sends = worker(HALVES).on_gradient(x, GRADIENT)
    assert [(send.to, send.vector.tolist(), send.asks) for send in sends] == [
        (Shard(0), [1.0, 2.0], True),
        (Shard(1), [3.0, 4.0], True),
    ]


def test_a_server_of_an_empty_part_is_never_spoken_to(x):
    shards = WHOLE | {Shard(1): slice(4, 4)}
    assert [send.to for send in worker(shards).on_gradient(x, GRADIENT)] == [Shard(0)]


def test_what_it_shows_does_not_change_when_x_does(x):
    (send,) = worker().on_gradient(x, GRADIENT)
    x.live.zero_()
    assert send.vector.tolist() == [1.0, 2.0, 3.0, 4.0]


def test_under_nesterov_it_shows_x_without_the_look_ahead(x):
    shifted = Iterate(x.live, LookAhead(torch.ones(4), 0.5))
    (send,) = worker().on_gradient(shifted, GRADIENT)
    assert send.vector.tolist() == [1.5, 2.5, 3.5, 4.5]


def test_without_overlap_it_waits_for_every_server_before_the_optimizers_step(x):
    first, second, *waits = worker(HALVES, overlap=False).on_gradient(x, GRADIENT)
    assert waits == [Wait(first), Wait(second)]


def test_with_overlap_it_waits_for_nobody(x):
    assert all(isinstance(effect, Send) for effect in worker(HALVES).on_gradient(x, GRADIENT))


def test_while_an_exchange_is_under_way_it_skips_the_next(x):
    algorithm = worker()
    algorithm.idle = False
    assert algorithm.on_gradient(x, GRADIENT) == (Skip(),)


def test_it_moves_its_part_of_x_by_what_the_server_answers(x):
    algorithm = worker(HALVES, overlap=False)
    _, second, *_ = algorithm.on_gradient(x, GRADIENT)
    assert tuple(algorithm.on_answer(second, Message(torch.tensor([0.5, -1.0])), x)) == ()
    assert x.live.tolist() == [1.0, 2.0, 2.5, 5.0]


def test_a_server_moves_towards_the_worker_by_what_it_answers():
    centre = torch.tensor([0.0, 4.0])
    server, request = ElasticServer(centre, 0.25), Request("worker-0", 7)
    (answer,) = server.on_message(0, Message(torch.tensor([4.0, 0.0]), request=request))
    assert isinstance(answer, Answer)
    assert (answer.request, answer.vector.tolist(), answer.step) == (request, [1.0, -1.0], 1)
    assert server.centre.copy().tolist() == centre.tolist() == [1.0, 3.0]


def test_a_server_meets_the_second_worker_where_the_first_has_moved_it():
    server = ElasticServer(torch.zeros(1), 0.5)
    server.on_message(0, ask(torch.tensor([4.0])))
    (answer,) = server.on_message(1, ask(torch.tensor([0.0])))
    assert answer.vector.tolist() == [-1.0]
    assert server.version == 2


def test_a_server_does_not_care_who_is_alive():
    assert tuple(ElasticServer(torch.zeros(1), 0.5).on_view(make_view(2, {}))) == ()
