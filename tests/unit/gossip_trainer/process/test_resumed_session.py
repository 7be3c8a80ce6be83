"""A script's loop that is cut off and goes on from what it saved, as if nothing had happened."""

import itertools

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from gossip_trainer import Session
from gossip_trainer.observability.event_log import EventTail
from gossip_trainer.observability.events import Failed
from gossip_trainer.process.memory import SAVE_SECONDS

STEPS = 12
MODEL = """
from torch import nn

def build():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 10)
    )
"""
PASS = 5  # batches


class Killed(Exception):  # noqa: N818 - what happened
    """The process was killed."""


def data():
    generator = torch.Generator().manual_seed(4)
    return TensorDataset(torch.randn(40, 1, 8, 8, generator=generator), torch.arange(40) % 10)


@pytest.fixture
def run(script_job, tmp_path):
    """Return what runs the script: from its start, or from what it saved, to an end it is given."""
    path = script_job(MODEL, checkpoint={"storage": {"claimName": "any"}})

    def run(out, *, save_at=None, killed_at=None, in_turns_of=None):
        model = build()
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=STEPS)
        with Session(model, optimizer, job=path, out=tmp_path / out) as session:
            session.register("scheduler", scheduler)
            loader = DataLoader(data(), batch_size=8, sampler=session.sampler(data()))
            memory = session._part.memory
            for images, labels in batches_of(session, loader, in_turns_of):
                loss = cross_entropy(model(images), labels)
                loss.backward()
                session.step(loss, samples=len(labels))
                scheduler.step()
                step = session._part.boundary.counters.steps
                if step == save_at:
                    memory._due = 0.0
                elif step == killed_at:
                    memory._saver.flush(SAVE_SECONDS)
                    raise Killed
        return load_file(tmp_path / out / "worker-0-0.safetensors")

    return run


def build():
    import script_model  # noqa: PLC0415 - the fixture writes it

    return script_model.build()


def batches_of(session, loader, in_turns_of):
    """Yield a session's batches, from one call for all or from one for every so many."""
    while not session.is_over:
        yield from itertools.islice(session.batches(loader), in_turns_of)


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("save_at", [1, 3, PASS - 1, PASS, PASS + 1, 2 * PASS])
def test_it_ends_with_the_same_bits_wherever_it_was_saved(run, save_at):
    whole = run("whole")
    with pytest.raises(Killed):
        run("cut", save_at=save_at, killed_at=save_at + 1)
    assert same(run("cut"), whole)


def test_a_loop_that_asks_for_batches_again_and_again_does_not_go_back(run):
    whole = run("whole", in_turns_of=2)
    with pytest.raises(Killed):
        run("cut", save_at=3, killed_at=4, in_turns_of=2)
    assert same(run("cut", in_turns_of=2), whole)


def test_what_a_loop_does_after_a_step_is_saved_with_the_step(run, tmp_path):
    with pytest.raises(Killed):
        run("cut", save_at=4, killed_at=5)
    seen, model = [], build()

    class Scheduler:
        def state_dict(self):
            return {}

        def load_state_dict(self, state):
            seen.append(state["last_epoch"])

    (folder,) = (tmp_path / "cut" / "checkpoints" / "worker-0").glob("step-*")
    assert folder.name.endswith("004")
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    with Session(model, optimizer, job=tmp_path / "job.yaml", out=tmp_path / "cut") as session:
        session.register("scheduler", Scheduler())
        for _ in session.steps():
            session.step(torch.tensor(0.5))
    assert seen == [4]


def test_another_optimizer_than_the_saved_one_is_refused_with_what_to_do(run, tmp_path):
    with pytest.raises(Killed):
        run("cut", save_at=4, killed_at=5)
    with (
        pytest.raises(SystemExit),
        Session(build(), job=tmp_path / "job.yaml", out=tmp_path / "cut"),
    ):
        pytest.fail("opened")
    records = EventTail(tmp_path / "cut" / "events.jsonl").new()
    *_, failed = [record for record in records if isinstance(record, Failed)]
    assert "the optimizer is not the one that was saved" in failed.reason
