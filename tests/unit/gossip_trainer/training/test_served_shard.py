"""A server's part of the model, wherever the server runs."""

import pytest
import torch
from lone_worker import FakeLetters
from torch import nn

from gossip_api.job import JobSpec
from gossip_trainer.algorithms.effects import Shard
from gossip_trainer.algorithms.view import make_view
from gossip_trainer.replica.flat import FlatModel
from gossip_trainer.training.served_shard import ServedShard
from gossip_trainer.training.trace import digest_of

VIEW = make_view(1, {0: 0, 1: 0})


def spec_of(strategy, *, shards=1, nesterov=False, **optimizer):
    return JobSpec.model_validate(
        {
            "strategy": strategy,
            "server": {"shards": shards},
            "workers": {"replicas": 2},
            "training": {
                "model": {"name": "mlp"},
                "data": {"name": "digits"},
                "optimizer": {
                    "name": "sgd",
                    "learningRate": 9.0,
                    "momentum": 0.9,
                    "nesterov": nesterov,
                    **optimizer,
                },
                "budget": {"epochs": 1},
            },
        }
    )


class Events:
    def __init__(self):
        self.records = []

    def emit(self, record):
        self.records.append(record)


@pytest.fixture
def letters():
    return FakeLetters()


@pytest.fixture
def model():
    torch.manual_seed(1)
    return FlatModel(nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8)))


@pytest.fixture
def make(letters, model):
    def make(strategy, shard=0, *, events=None, rate=lambda: 0.5, **spec):
        return ServedShard(
            spec_of(strategy, **spec),
            Shard(shard),
            layout=model.layout,
            initial=model.vector,
            learning_rate=rate,
            letters=letters,
            view=VIEW,
            events=events,
        )

    return make


PARAMETER_SERVER = {"type": "ParameterServer"}
ELASTIC = {"type": "ElasticAveraging", "elasticAveraging": {"movingRate": 0.5}}


def push(served, letters, vector, *, rank=0, number=1, scalars=(0.0,)):
    letters.put(f"worker-{rank}-0", vector, asks=True, number=number, scalars=scalars)
    assert served.take_in()
    return letters.answers[-1]


def test_without_a_message_there_is_nothing_to_take_in(make):
    assert not make(ELASTIC).take_in()


def test_the_initial_vector_is_copied_and_the_centre_begins_with_it(make, model):
    served = make(ELASTIC)
    before = model.vector.clone()
    assert torch.equal(served.iterate.copy(), before)
    model.vector.zero_()
    assert torch.equal(served.iterate.copy(), before)


def test_a_message_changes_the_centre_is_let_go_and_is_answered(make, letters, model):
    served = make(ELASTIC)
    answer = push(served, letters, model.vector + 2.0)
    torch.testing.assert_close(served.iterate.copy(), model.vector + 1.0)
    torch.testing.assert_close(answer.vector, torch.ones_like(model.vector))
    assert (served.version, answer.step) == (1, 1)


def test_messages_are_counted_with_the_bytes_that_came_and_went(make, letters, model):
    served = make(ELASTIC)
    for number in (1, 2):
        push(served, letters, model.vector, number=number)
    assert served.messages == 2
    assert served.received_bytes == served.sent_bytes == 2 * model.vector.nbytes


def test_an_answer_counts_when_it_goes(make, letters, model):
    served = make({"type": "ParameterServer", "parameterServer": {"maxStaleness": 0}})
    letters.put("worker-0-0", model.vector, asks=True, scalars=(0.0,))
    served.take_in()
    assert (served.messages, served.sent_bytes) == (1, 0)
    served.look_around(make_view(2, {0: 0}))
    assert served.sent_bytes == model.vector.nbytes


def test_a_gradient_is_a_step_of_the_jobs_optimizer_at_the_rate_of_the_moment(make, letters, model):
    rates = iter([0.5, 0.25])
    served = make(PARAMETER_SERVER, rate=lambda: next(rates))
    n = model.layout.num_parameters
    plain = nn.Parameter(model.vector[:n].clone())
    reference = torch.optim.SGD([plain], lr=0.5, momentum=0.9)
    for number, rate in enumerate((0.5, 0.25), start=1):
        gradient = torch.full_like(model.vector, float(number))
        answer = push(served, letters, gradient, number=number)
        plain.grad = gradient[:n].clone()
        reference.param_groups[0]["lr"] = rate
        reference.step()
    assert torch.equal(answer.vector[:n], plain.detach())


@pytest.mark.parametrize("shards", [1, 2, 3])
def test_norms_and_biases_go_without_decay_on_whatever_server_they_are(shards, letters, model):
    spec = spec_of(PARAMETER_SERVER, shards=shards, weightDecay=0.1, decayNorms=False)
    answered = torch.empty_like(model.vector)
    gradient = torch.zeros_like(model.vector)
    for shard in range(shards):
        served = ServedShard(
            spec,
            Shard(shard),
            layout=model.layout,
            initial=torch.ones_like(model.vector),
            learning_rate=lambda: 0.5,
            letters=letters,
            view=VIEW,
        )
        answered[served.part] = push(served, letters, gradient[served.part]).vector
    n, end = model.layout.num_weights, model.layout.num_parameters
    torch.testing.assert_close(answered[:n], torch.full((n,), 0.95))
    assert torch.all(answered[n:end] == 1.0)
    assert not gradient.any(), "the sender's gradient is left as it is"


def test_float_buffers_are_averaged_and_not_stepped(make, letters, model):
    served = make(PARAMETER_SERVER)
    n = model.layout.num_parameters
    answer = push(served, letters, torch.full_like(model.vector, 4.0))
    torch.testing.assert_close(answer.vector[n:], (model.vector[n:] + 4.0) / 2)


def test_workers_get_the_look_ahead_and_what_is_evaluated_is_x(make, letters, model):
    served = make(PARAMETER_SERVER, nesterov=True)
    n = model.layout.num_parameters
    gradient = torch.full_like(model.vector, 1.0)
    answer = push(served, letters, gradient)
    x = served.iterate.copy()
    # theta = x - momentum * rate * buffer, and the buffer is the first gradient.
    torch.testing.assert_close(answer.vector[:n], x[:n] - 0.9 * 0.5 * 1.0)


def test_the_parts_of_several_servers_make_the_step_of_one(make, letters, model):
    n = model.layout.num_parameters
    gradient = torch.randn(model.vector.shape, generator=torch.Generator().manual_seed(2))
    whole = push(make(PARAMETER_SERVER), letters, gradient).vector
    parts = []
    for shard in range(3):
        served = make(PARAMETER_SERVER, shard, shards=3)
        parts.append(push(served, letters, gradient[served.part]).vector)
    assert torch.equal(torch.cat(parts), whole)
    assert n < sum(part.numel() for part in parts) == model.vector.numel()


def test_a_new_view_is_told_and_what_that_releases_is_answered(make, letters, model):
    strategy = {"type": "ParameterServer", "parameterServer": {"maxStaleness": 0}}
    served = make(strategy)
    letters.put("worker-0-0", model.vector, asks=True, scalars=(0.0,))
    served.take_in()
    assert letters.answers == []
    served.look_around(make_view(2, {0: 0}))
    assert [answer.request.sender for answer in letters.answers] == ["worker-0-0"]


def test_a_traced_part_logs_what_it_takes_in_and_what_came_of_it(make, letters, model):
    events = Events()
    served = make(ELASTIC, events=events)
    push(served, letters, model.vector + 2.0)
    message, published = events.records
    assert (message.call, message.number) == ("message", 1)
    assert published.digest == digest_of(served.iterate.copy())
