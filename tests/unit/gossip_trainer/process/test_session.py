"""A training script around a session, by itself in this process."""

import signal

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from gossip_api.environment import EXIT_USER_ERROR
from gossip_trainer import Session
from gossip_trainer.errors import SessionError
from gossip_trainer.observability.event_log import EventTail
from gossip_trainer.observability.events import Began, Failed, Finished

STEPS = 12


def build():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 10))


@pytest.fixture
def job(script_job):
    """Return a function that writes a job file; runs are left beside it."""
    source = (
        "from torch import nn\n"
        "def build():\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 10))\n"
    )
    return lambda **training: script_job(source, training=training)


@pytest.fixture
def loader():
    generator = torch.Generator().manual_seed(4)
    images = torch.randn(40, 1, 8, 8, generator=generator)
    return DataLoader(TensorDataset(images, torch.arange(40) % 10), batch_size=8)


def records(tmp_path):
    (log,) = tmp_path.glob("runs/*/events.jsonl")
    return list(EventTail(log).new())


def train(session, loader, model, losses):
    for images, labels in session.batches(loader):
        loss = cross_entropy(model(images), labels)
        loss.backward()
        session.step(loss, samples=len(labels))
        losses.append(loss.item())


def test_alone_it_trains_the_whole_budget_and_leaves_its_model(job, loader, tmp_path):
    model, losses = build(), []
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    with Session(model, optimizer, job=job()) as session:
        train(session, loader, model, losses)
        assert session.is_over
    assert len(losses) == STEPS
    assert losses[-1] < losses[0]
    (finished,) = [each for each in records(tmp_path) if isinstance(each, Finished)]
    assert (finished.step, finished.samples) == (STEPS, STEPS * 8)
    (saved,) = tmp_path.glob("runs/*/worker-0-0.safetensors")
    state = model.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in load_file(saved).items())


def test_it_steps_as_the_optimizer_does_without_a_session(job, loader):
    with_session, without = build(), build()
    optimizer = torch.optim.AdamW(with_session.parameters(), lr=0.01)
    with Session(with_session, optimizer, job=job()) as session:
        # It begins with the job's model, whatever the script's held.
        without.load_state_dict(with_session.state_dict())
        train(session, loader, with_session, [])
    plain = torch.optim.AdamW(without.parameters(), lr=0.01)
    batches = [*loader, *loader, *loader][:STEPS]
    for images, labels in batches:
        plain.zero_grad()
        cross_entropy(without(images), labels).backward()
        plain.step()
    for own, other in zip(with_session.parameters(), without.parameters(), strict=True):
        torch.testing.assert_close(own, other)


def test_a_gradient_set_to_none_or_replaced_is_found_all_the_same(job, loader):
    model = build()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with Session(model, optimizer, job=job()) as session:
        before = [parameter.clone() for parameter in model.parameters()]
        for images, labels in session.batches(loader):
            optimizer.zero_grad(set_to_none=True)
            loss = cross_entropy(model(images), labels)
            loss.backward()
            session.step(loss)
    after = list(model.parameters())
    assert all(not torch.equal(own, other) for own, other in zip(after, before, strict=True))


def test_without_an_optimizer_it_builds_the_jobs_with_its_schedule(job, loader):
    schedule = {"name": "step", "milestones": [0.01], "gamma": 0.1}
    model = build()
    with Session(model, job=job(schedule=schedule)) as session:
        train(session, loader, model, [])
        assert session.optimizer.param_groups[0]["lr"] == pytest.approx(0.05)


def test_the_optimizers_own_learning_rate_is_left_alone(job, loader):
    model = build()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03)
    with Session(model, optimizer, job=job()) as session:
        train(session, loader, model, [])
    assert optimizer.param_groups[0]["lr"] == 0.03


def test_all_workers_begin_with_the_jobs_model(job, loader, tmp_path):
    digests = set()
    for _ in range(2):
        model = build()
        with Session(model, job=job()) as session:
            train(session, loader, model, [])
        (log,) = tmp_path.glob("runs/*/events.jsonl")
        digests |= {each.digest for each in EventTail(log).new() if isinstance(each, Began)}
        log.unlink()
    assert len(digests) == 1


def test_a_process_that_belongs_to_no_job_is_told_how_to_start(monkeypatch):
    with pytest.raises(SessionError, match="start it with `gossip run JOB`"), Session(build()):
        pytest.fail("opened")


def fault(tmp_path):
    (failed,) = [each for each in records(tmp_path) if isinstance(each, Failed)]
    return failed


def test_a_model_that_is_not_the_jobs_ends_the_process_with_the_difference(job, tmp_path):
    other = nn.Sequential(nn.Flatten(), nn.Linear(64, 9), nn.ReLU(), nn.Linear(9, 10))
    with pytest.raises(SystemExit) as ended, Session(other, job=job()):
        pytest.fail("opened")
    assert ended.value.code == EXIT_USER_ERROR
    assert fault(tmp_path).user_error
    assert "1.weight is [9, 64] instead of [8, 64]" in fault(tmp_path).reason


def test_an_optimizer_of_other_parameters_is_refused(job, tmp_path):
    model = build()
    optimizer = torch.optim.SGD(model[1].parameters(), lr=0.1)
    with pytest.raises(SystemExit), Session(model, optimizer, job=job()):
        pytest.fail("opened")
    assert "moves 2 parameters, 2 of them of the model, which has 4" in fault(tmp_path).reason


def test_a_parameter_that_was_moved_ends_the_process_with_its_name(job, loader, tmp_path):
    def move():
        model[1].weight.data = model[1].weight.data.clone()
        return cross_entropy(model(images), labels)

    model, (images, labels) = build(), next(iter(loader))
    with pytest.raises(SystemExit), Session(model, job=job()) as session:
        session.step(move)
    assert "1.weight was moved or replaced" in fault(tmp_path).reason


def test_an_exception_of_the_script_is_told_and_raised(job, loader, tmp_path):
    def fail():
        raise LookupError("no labels")

    with pytest.raises(LookupError, match="labels"), Session(build(), job=job()) as session:
        session.step(fail)
    assert fault(tmp_path).reason == "LookupError: no labels"


def test_a_loader_without_a_batch_is_no_endless_loop(job, tmp_path):
    with pytest.raises(SystemExit), Session(build(), job=job()) as session:
        list(session.batches([]))
    assert "the loader gave no batch in a whole pass" in fault(tmp_path).reason


def test_a_loop_that_takes_no_step_while_the_job_goes_on_is_a_fault(job, loader, tmp_path):
    with pytest.raises(SystemExit) as ended, Session(build(), job=job()) as session:
        next(session.batches(loader))
    assert ended.value.code == EXIT_USER_ERROR
    assert "the loop ended without a step, and the job goes on" in fault(tmp_path).reason


def test_steps_are_taken_only_while_the_job_goes_on(job, loader, tmp_path):
    model = build()
    with Session(model, job=job()) as session:
        train(session, loader, model, [])
        assert list(session.batches(loader)) == list(session.steps()) == []


def test_once_the_session_is_closed_signals_do_what_they_did_before(job, loader):
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    model = build()
    with Session(model, job=job()) as session:
        assert signal.getsignal(signal.SIGINT) is not before[signal.SIGINT]
        train(session, loader, model, [])
    assert {number: signal.getsignal(number) for number in before} == before
