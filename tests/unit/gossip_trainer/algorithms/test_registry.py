import random

import pytest
import torch

from gossip_api.job import JobSpec
from gossip_trainer.algorithms.all_reduce import AllReduce
from gossip_trainer.algorithms.effects import Average, Fetch, Hear, Message, Request, Shard, Wait
from gossip_trainer.algorithms.elastic_averaging import ElasticAveraging, ElasticServer
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.algorithms.local_sgd import LocalSGD
from gossip_trainer.algorithms.noloco import NoLoCo
from gossip_trainer.algorithms.pairwise import Pairwise
from gossip_trainer.algorithms.parameter_server import ParameterServer, ParameterServerShard
from gossip_trainer.algorithms.pull_gossip import PullGossip
from gossip_trainer.algorithms.push_gossip import PushGossip
from gossip_trainer.algorithms.push_sum import PushSum
from gossip_trainer.algorithms.registry import build_algorithm, build_server
from gossip_trainer.algorithms.view import make_view

SIZE, NUM_PARAMETERS = 40, 36
VIEW = make_view(1, {0: 0, 1: 0})


class First:
    """Always draws the first member."""

    def random(self):
        return 0.0


def spec_of(kind, *, server=None, **settings):
    member = {
        "Gossip": "gossip",
        "ElasticAveraging": "elasticAveraging",
        "ParameterServer": "parameterServer",
        "AllReduce": "allReduce",
        "LocalSGD": "localSGD",
    }[kind]
    document = {
        "strategy": {"type": kind, member: settings},
        "workers": {"replicas": 4},
        "security": {"mutualTLS": False},
        "training": {
            "model": {"name": "mlp"},
            "data": {"name": "digits"},
            "optimizer": {"name": "sgd", "learningRate": 0.1},
            "budget": {"epochs": 1},
        },
    }
    return JobSpec.model_validate(document | ({"server": server} if server else {}))


def worker_of(kind, *, rank=1, stream=None, server=None, **settings):
    return build_algorithm(
        spec_of(kind, server=server, **settings),
        rank,
        VIEW,
        stream or random.Random(1),
        size=SIZE,
        num_parameters=NUM_PARAMETERS,
    )


def serve(kind, shard, centre, *, update=None, server=None, view=VIEW, **settings):
    return build_server(
        spec_of(kind, server=server, **settings),
        Shard(shard),
        centre,
        size=SIZE,
        num_parameters=NUM_PARAMETERS,
        update=update or (lambda gradient: None),
        centre_iterate=lambda: Iterate(centre),
        view=view,
    )


def ask(vector, number=1, rank=0):
    return Message(vector, scalars=(0.0,), request=Request(f"worker-{rank}", number))


def ones():
    return Iterate(torch.ones(SIZE))


def gradient():
    return torch.zeros(NUM_PARAMETERS)


@pytest.mark.parametrize(
    ("kind", "settings", "expected"),
    [
        ("Gossip", {}, PullGossip),
        ("Gossip", {"exchange": "Push"}, PushGossip),
        ("Gossip", {"exchange": "Pairwise"}, Pairwise),
        ("Gossip", {"exchange": "PushSum"}, PushSum),
        ("ElasticAveraging", {}, ElasticAveraging),
        ("ParameterServer", {}, ParameterServer),
        ("AllReduce", {}, AllReduce),
        ("LocalSGD", {}, LocalSGD),
        ("LocalSGD", {"averaging": "Gossip"}, NoLoCo),
    ],
)
def test_every_strategy_has_its_algorithm(kind, settings, expected):
    worker = worker_of(kind, **settings)
    assert type(worker) is expected
    assert (worker.rank, worker.view) == (1, VIEW)


def test_pull_gossip_gets_the_jobs_settings():
    worker = worker_of("Gossip", stream=First(), period=3, mixingWeight=0.25, overlap=False)
    x = Iterate(torch.zeros(2))
    assert [tuple(worker.on_step(x)) for _ in range(3)] == [(), (), (Fetch(0), Wait(Fetch(0)))]
    worker.on_answer(Fetch(0), Message(torch.full((2,), 4.0), step=3), x)
    assert torch.equal(x.live, torch.ones(2))


@pytest.mark.parametrize("exchange", ["Pull", "Push", "Pairwise", "PushSum"])
def test_every_exchange_gets_the_period_and_whether_it_overlaps(exchange):
    for overlap in (False, True):
        settings = {"selection": "UniformOthers", "period": 2, "overlap": overlap}
        worker, x = worker_of("Gossip", exchange=exchange, **settings), ones()
        assert tuple(worker.on_step(x)) == ()
        kinds = {type(effect) for effect in worker.on_step(x)}
        assert (Wait in kinds) is (not overlap)


def test_elastic_averaging_gets_the_jobs_settings():
    worker = worker_of("ElasticAveraging", server={"shards": 2}, period=2, overlap=False)
    assert tuple(worker.on_gradient(ones(), gradient())) == ()
    first, second, *waits = worker.on_gradient(ones(), gradient())
    assert (first.to, second.to) == (Shard(0), Shard(1))
    assert first.vector.numel() + second.vector.numel() == SIZE
    assert waits == [Wait(first), Wait(second)]


def test_with_elastic_averaging_an_exchange_overlaps_unless_the_job_says_otherwise():
    (effect,) = worker_of("ElasticAveraging").on_gradient(ones(), gradient())
    assert not isinstance(effect, Wait)


@pytest.mark.parametrize(("settings", "rate"), [({}, 0.8 / 4), ({"movingRate": 0.5}, 0.5)])
def test_the_moving_rate_is_four_fifths_over_the_workers_unless_the_job_says_otherwise(
    settings, rate
):
    server = serve("ElasticAveraging", 0, torch.zeros(SIZE), **settings)
    assert type(server) is ElasticServer
    (answer,) = server.on_message(0, ask(torch.ones(SIZE)))
    assert answer.vector[0].item() == pytest.approx(rate)


def test_the_parameter_servers_workers_get_the_jobs_settings():
    (effect,) = worker_of("ParameterServer", overlap=True).on_gradient(ones(), gradient())
    assert effect.vector.tolist() == [0.0] * NUM_PARAMETERS + [1.0] * (SIZE - NUM_PARAMETERS)
    assert len(worker_of("ParameterServer").on_gradient(ones(), gradient())) == 2


def test_every_server_knows_its_parameters_and_averages_buffers_over_the_workers():
    seen = []
    two = {"shards": 2}
    first = serve("ParameterServer", 0, torch.zeros(16), update=seen.append, server=two)
    centre = torch.zeros(24)
    second = serve("ParameterServer", 1, centre, update=seen.append, server=two)
    assert type(second) is ParameterServerShard
    first.on_message(0, ask(torch.ones(16)))
    second.on_message(0, ask(torch.ones(24)))
    assert [gradient.numel() for gradient in seen] == [16, 20]
    assert centre.tolist() == [0.0] * 20 + [0.25] * 4


def test_a_parameter_server_gets_the_bound_and_the_view():
    server = serve("ParameterServer", 0, torch.zeros(SIZE), maxStaleness=1)
    answered = [bool(server.on_message(0, ask(torch.zeros(SIZE), number))) for number in range(3)]
    assert answered == [True, False, False]


def outer_step(worker, *deltas):
    """Take an outer step for each of `deltas`, starting at 0; return x."""
    x = Iterate(torch.zeros(SIZE))
    for delta in deltas:
        worker.before_step(x)
        average, _ = worker.on_step(x)
        assert isinstance(average, Average)
        average.vector.fill_(delta)
        worker.on_averaged(average, x)
    return x.live


def test_local_sgds_outer_optimizer_is_by_default_nesterovs_with_learning_rate_07_and_momentum_09():
    x = outer_step(worker_of("LocalSGD", period=1), 1.0)
    assert x[0].item() == pytest.approx(-0.7 * 1.9)
    assert x[-1].item() == -1.0, "buffers are averaged plainly"


def test_local_sgd_gets_the_jobs_settings():
    outer = {"optimizer": "HeavyBall", "learningRate": 0.5, "momentum": 0.2}
    x = outer_step(worker_of("LocalSGD", period=1, outer=outer), 1.0, 1.0)
    assert x[0].item() == pytest.approx(-0.5 * (1.0 + 1.2))
    worker = worker_of("LocalSGD", period=3, outer=outer)
    worker.before_step(ones())
    assert [bool(worker.on_step(ones())) for _ in range(6)] == [False, False, True] * 2


def test_noloco_gets_the_jobs_settings():
    worker = worker_of("LocalSGD", averaging="Gossip", period=2, partnerDeadline="5s")
    x = Iterate(torch.zeros(SIZE))
    worker.before_step(x)
    x.live.fill_(1.0)
    assert tuple(worker.on_step(x)) == ()
    _, hear, _ = worker.on_step(x)
    assert hear == Wait(Hear(0, 0.0, 5.0))
    worker.on_message(0, Message(torch.ones(SIZE), scalars=(0.0,)), x)
    assert x.live[0].item() == pytest.approx(0.7)
    assert x.live[-1].item() == 1.0
