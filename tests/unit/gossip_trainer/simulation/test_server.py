import pytest
import torch
from torch import nn

from gossip_api.names import Role
from gossip_trainer.algorithms.effects import Message, Request, Shard
from gossip_trainer.membership.roster import Endpoint
from gossip_trainer.simulation.laps import Lap
from gossip_trainer.simulation.letters import Asked
from gossip_trainer.simulation.replica import SharedModule
from gossip_trainer.simulation.server import VirtualServer
from gossip_trainer.simulation.standing import Standing
from gossip_trainer.training.links import Letter

PARAMETER_SERVER = {"type": "ParameterServer", "parameterServer": {"maxStaleness": 0}}


@pytest.fixture
def standing():
    standing = Standing()
    for rank in range(2):
        standing.enter(Endpoint(Role.WORKER, rank, 0, "", 0))
    return standing


@pytest.fixture
def make_server(make_job, standing):
    def make(shard=0, **changes):
        torch.manual_seed(1)
        shared = SharedModule(nn.Linear(5, 8))
        spec = make_job(**changes).spec
        server = VirtualServer(
            spec,
            Shard(shard),
            shared=shared,
            standing=standing,
            learning_rate=lambda: 0.5,
            lap=Lap(),
        )
        standing._tell()
        return server, shared.initial

    return make


def ask(server, answers, *, rank=0, vector=None, scalars=()):
    request = Request(f"worker-{rank}-0", 1)
    message = Message(vector, scalars=scalars, request=request)
    assert server.letters.deposit(Asked(Letter(request.sender, message), answers.append))


def test_a_message_is_taken_in_and_answered_at_the_moment_it_comes(make_server):
    server, initial = make_server(
        strategy={"type": "ElasticAveraging", "elasticAveraging": {"movingRate": 0.5}}
    )
    answers = []
    ask(server, answers, vector=initial + 2.0)
    torch.testing.assert_close(answers[0].vector, torch.ones_like(initial))
    centre = torch.empty_like(initial)
    server.write_to_(centre)
    torch.testing.assert_close(centre, initial + 1.0)


def test_a_server_writes_its_own_part_and_nothing_else(make_server):
    server, initial = make_server(1, strategy={"type": "ElasticAveraging"}, server={"shards": 2})
    out = torch.full_like(initial, 7.0)
    server.write_to_(out)
    part = server._served.part
    assert 0 < part.start < part.stop == initial.numel()
    assert torch.equal(out[part], initial[part])
    assert torch.all(out[: part.start] == 7.0)


def test_one_that_is_ahead_is_answered_when_the_slowest_comes_or_is_gone(make_server, standing):
    server, initial = make_server(strategy=PARAMETER_SERVER)
    nothing = torch.zeros_like(initial)
    for release in (
        lambda: ask(server, [], rank=1, vector=nothing, scalars=(0.0,)),
        lambda: standing.leave(standing.roster.workers()[1]),
    ):
        answers = []
        ask(server, answers, rank=0, vector=nothing, scalars=(0.0,))
        assert answers == []
        release()
        assert len(answers) == 1


def test_an_end_of_the_job_is_no_new_view(make_server, standing):
    server, _ = make_server(strategy=PARAMETER_SERVER)
    version = server._view.version
    standing._tell()
    assert server._view.version == version
