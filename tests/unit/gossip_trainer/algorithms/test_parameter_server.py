import pytest
import torch

from gossip_trainer.algorithms.effects import Answer, Loss, Message, Request, Send, Shard, Wait
from gossip_trainer.algorithms.iterate import Iterate, LookAhead
from gossip_trainer.algorithms.parameter_server import ParameterServer, ParameterServerShard
from gossip_trainer.algorithms.view import make_view

NUM_PARAMETERS = 3  # and one buffer
WHOLE = {Shard(0): slice(0, 4)}
HALVES = {Shard(0): slice(0, 2), Shard(1): slice(2, 4)}


@pytest.fixture
def x():
    return Iterate(torch.tensor([1.0, 2.0, 3.0, 9.0]))


def gradient(value=0.5):
    return torch.full((NUM_PARAMETERS,), value)


def worker(shards=WHOLE, *, overlap=False):
    return ParameterServer(0, make_view(1, {0: 0, 1: 0}), shards, NUM_PARAMETERS, overlap=overlap)


def answer(*values, version=1):
    return Message(torch.tensor(values), step=version)


def test_the_workers_own_optimizer_does_not_step():
    assert not worker().steps_locally


def test_a_message_holds_the_gradient_and_behind_it_the_buffers(x):
    first, second, *_ = worker(HALVES).on_gradient(x, gradient())
    assert (first.to, first.vector.tolist()) == (Shard(0), [0.5, 0.5])
    assert (second.to, second.vector.tolist()) == (Shard(1), [0.5, 9.0])


def test_a_message_asks_and_finds_its_way_to_a_server_that_takes_anothers_place(x):
    send, _ = worker().on_gradient(x, gradient())
    assert send.asks
    assert send.patient


def test_a_message_does_not_change_when_the_gradient_does(x):
    now = gradient()
    send, _ = worker().on_gradient(x, now)
    now.zero_()
    assert send.vector.tolist() == [0.5, 0.5, 0.5, 9.0]


def test_a_server_of_an_empty_part_is_never_spoken_to(x):
    algorithm = worker(WHOLE | {Shard(1): slice(4, 4)})
    assert [e.to for e in algorithm.on_gradient(x, gradient()) if isinstance(e, Send)] == [Shard(0)]
    assert [e.to for e in worker(WHOLE | {Shard(1): slice(4, 4)}).on_finish(x)] == [Shard(0)]


def test_without_overlap_it_waits_for_every_server(x):
    first, second, *waits = worker(HALVES).on_gradient(x, gradient())
    assert waits == [Wait(first), Wait(second)]


def test_the_answer_becomes_its_part_of_x(x):
    algorithm = worker(HALVES)
    _, second, *_ = algorithm.on_gradient(x, gradient())
    algorithm.on_answer(second, answer(7.0, 8.0), x)
    assert x.live.tolist() == [1.0, 2.0, 7.0, 8.0]


def test_it_says_which_version_of_each_part_the_gradient_was_computed_at(x):
    algorithm = worker(HALVES)
    first, second, *_ = algorithm.on_gradient(x, gradient())
    assert (first.scalars, second.scalars) == ((0.0,), (0.0,))
    algorithm.on_answer(first, answer(1.0, 1.0, version=5), x)
    algorithm.on_answer(second, answer(1.0, 1.0, version=6), x)
    first, second, *_ = algorithm.on_gradient(x, gradient())
    assert (first.scalars, second.scalars) == ((5.0,), (6.0,))


def test_with_overlap_it_goes_on_while_one_gradient_is_under_way(x):
    (send,) = worker(overlap=True).on_gradient(x, gradient())
    assert isinstance(send, Send)


def test_with_overlap_the_next_gradient_goes_only_after_the_answer_to_the_one_before(x):
    algorithm = worker(HALVES, overlap=True)
    first, second = algorithm.on_gradient(x, gradient(0.5))
    assert list(algorithm.on_gradient(x, gradient(0.25))) == [Wait(first), Wait(second)]
    assert tuple(algorithm.on_answer(first, answer(1.0, 1.0, version=4), x)) == ()
    third, fourth = algorithm.on_answer(second, answer(1.0, 1.0), x)
    assert (third.vector.tolist(), fourth.vector.tolist()) == ([0.25, 0.25], [0.25, 9.0])
    assert third.scalars == (0.0,), "computed before the answer came"


def test_with_overlap_an_answer_that_came_in_time_makes_nobody_wait(x):
    algorithm = worker(overlap=True)
    (send,) = algorithm.on_gradient(x, gradient())
    algorithm.on_answer(send, answer(1.0, 1.0, 1.0, 1.0), x)
    (send,) = algorithm.on_gradient(x, gradient())
    assert isinstance(send, Send)


def test_after_a_loss_it_goes_on_with_the_x_there_is(x):
    algorithm, before = worker(), x.live.clone()
    send, _ = algorithm.on_gradient(x, gradient())
    assert tuple(algorithm.on_lost(send, Loss.PEER, x)) == ()
    assert torch.equal(x.live, before)
    assert isinstance(algorithm.on_gradient(x, gradient())[0], Send)


def test_at_the_end_it_says_farewell_to_every_server(x):
    assert [(s.to, s.asks, s.vector.numel()) for s in worker(HALVES).on_finish(x)] == [
        (Shard(0), False, 0),
        (Shard(1), False, 0),
    ]


def test_the_farewell_waits_for_the_answer_that_is_under_way(x):
    algorithm = worker(overlap=True)
    (send,) = algorithm.on_gradient(x, gradient())
    assert tuple(algorithm.on_finish(x)) == ()
    (farewell,) = algorithm.on_answer(send, answer(1.0, 1.0, 1.0, 1.0), x)
    assert not farewell.asks
    assert tuple(algorithm.on_answer(farewell, None, x)) == ()


class Served:
    """A server whose optimizer is plain SGD with learning rate 1."""

    def __init__(self, *ranks, share=0.5, max_staleness=None):
        self.live = torch.tensor([1.0, 2.0, 3.0, 9.0])
        self.server = ParameterServerShard(
            self.live,
            NUM_PARAMETERS,
            self.update,
            iterate=lambda: Iterate(self.live, LookAhead(torch.full((3,), 2.0), 0.5)),
            share=share,
            max_staleness=max_staleness,
            view=make_view(1, dict.fromkeys(ranks, 0)),
        )

    def update(self, gradient):
        self.live[:NUM_PARAMETERS].sub_(gradient)

    def send(self, rank, vector=(1.0, 1.0, 1.0, 5.0), *, computed_at=0, number=1):
        """Send a gradient; return the ranks that are answered."""
        message = Message(
            torch.tensor(vector),
            scalars=(float(computed_at),),
            request=Request(f"worker-{rank}", number),
        )
        return self.ranks(self.server.on_message(rank, message))

    def farewell(self, rank):
        return self.ranks(self.server.on_message(rank, Message(torch.empty(0))))

    def look_around(self, *ranks):
        return self.ranks(self.server.on_view(make_view(2, dict.fromkeys(ranks, 0))))

    @staticmethod
    def ranks(answers):
        assert all(isinstance(answer, Answer) for answer in answers)
        return [int(answer.request.sender.removeprefix("worker-")) for answer in answers]


def test_a_server_steps_with_a_gradient_and_averages_buffers_by_their_share():
    served = Served(0, share=0.25)
    served.send(0, (0.5, 0.5, 1.0, 5.0))
    assert served.live.tolist() == [0.5, 1.5, 2.0, 8.0]


def test_a_server_answers_with_a_copy_of_what_workers_compute_at():
    served = Served(0)
    message = Message(torch.zeros(4), scalars=(0.0,), request=Request("worker-0", 3))
    (answer,) = served.server.on_message(0, message)
    served.live.zero_()
    assert answer.vector.tolist() == [1.0, 2.0, 3.0, 4.5]
    assert (answer.request, answer.step) == (message.request, 1)


def test_what_is_evaluated_is_without_the_look_ahead():
    assert Served(0).server.centre.copy().tolist() == [2.0, 3.0, 4.0, 9.0]


def test_a_server_of_buffers_only_takes_no_optimizer_step():
    def update(gradient):
        raise AssertionError

    live = torch.zeros(2)
    server = ParameterServerShard(
        live,
        0,
        update,
        iterate=lambda: Iterate(live),
        share=1.0,
        max_staleness=None,
        view=make_view(1, {0: 0}),
    )
    server.on_message(0, Message(torch.ones(2), scalars=(0.0,), request=Request("worker-0", 1)))
    assert (live.tolist(), server.version) == ([1.0, 1.0], 1)


def test_a_server_knows_how_stale_the_newest_gradient_was():
    served = Served(0, 1)
    staleness = []
    for rank, computed_at in [(0, 0), (1, 0), (0, 1), (1, 2), (1, 4)]:
        served.send(rank, computed_at=computed_at)
        staleness.append(served.server.staleness)
    assert staleness == [0, 1, 1, 1, 0]
    assert served.server.version == 5


def test_without_a_bound_everybody_is_answered_at_once():
    served = Served(0, 1)
    assert [served.send(0) for _ in range(50)] == [[0]] * 50


def test_an_answer_is_held_back_until_the_slowest_has_caught_up():
    served = Served(0, 1, max_staleness=1)
    assert [served.send(0), served.send(0), served.send(1)] == [[0], [], [0, 1]]


def test_what_was_held_back_is_answered_as_the_server_is_by_then():
    served = Served(0, 1, max_staleness=0)
    served.send(0, (1.0, 0.0, 0.0, 9.0))
    message = Message(
        torch.tensor([0.0, 1.0, 0.0, 9.0]), scalars=(0.0,), request=Request("worker-1", 1)
    )
    answers = served.server.on_message(1, message)
    assert [(a.vector.tolist(), a.step) for a in answers] == [([0.0, 1.0, 3.0, 9.0], 2)] * 2


def test_a_farewell_lets_those_go_on_that_waited_and_changes_nothing_else():
    served = Served(0, 1, max_staleness=0)
    assert served.send(0) == []
    before = served.live.clone()
    assert served.farewell(1) == [0]
    assert torch.equal(served.live, before)
    assert served.server.version == 1


def test_a_worker_that_disappears_lets_those_go_on_that_waited():
    served = Served(0, 1, max_staleness=0)
    assert served.send(0) == []
    assert served.look_around(0) == [0]


def test_one_that_is_held_back_and_out_of_the_view_is_answered_too():
    served = Served(0, 1, max_staleness=0)
    assert served.send(0) == []
    assert served.look_around(1) == [0]


def test_nobody_is_answered_twice():
    served = Served(0, 1, max_staleness=0)
    assert served.send(0) == []
    assert served.look_around(0) == [0]
    assert served.farewell(0) == []
    assert served.look_around(0, 1) == []
