from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from gossip_trainer.checkpoint.store import CheckpointStore
from gossip_trainer.errors import CheckpointError
from gossip_trainer.observability.events import Evaluation, Unsaved
from gossip_trainer.process.model_keeper import ModelKeeper, merit_of


def evaluation(samples, *, accuracy=0.5, loss=1.0, seconds=10.0):
    return Evaluation(
        seconds=seconds,
        job_samples=samples,
        epoch=1.0,
        averaged=2,
        missed=(),
        loss=loss,
        accuracy=accuracy,
        consensus_distance=0.0,
        relative_consensus_distance=None,
        min_step=1,
        max_step=1,
        workers=(),
        final=False,
        model="average",
        took=0.1,
    )


@pytest.fixture
def told():
    return []


@pytest.fixture
def keeper(tmp_path, told):
    return ModelKeeper(str(tmp_path), SimpleNamespace(emit=told.append))


def model(value):
    module = nn.Linear(2, 2)
    nn.init.constant_(module.weight, value)
    return module


def kept(tmp_path, name):
    return CheckpointStore(tmp_path, name, 1).newest().tensors["weight"][0, 0].item()


def test_it_keeps_the_last_model_and_the_best(keeper, tmp_path):
    for value, accuracy in ((1.0, 0.5), (2.0, 0.9), (3.0, 0.7)):
        keeper.keep(model(value), evaluation(int(value), accuracy=accuracy), 100.0, 0.0)
    assert kept(tmp_path, "last") == 3.0
    assert kept(tmp_path, "best") == 2.0


def test_one_that_takes_its_place_knows_how_good_the_best_was(keeper, tmp_path, told):
    keeper.keep(model(1.0), evaluation(1, accuracy=0.9), 100.0, 0.0)
    successor = ModelKeeper(str(tmp_path), SimpleNamespace(emit=told.append))
    successor.keep(model(2.0), evaluation(2, accuracy=0.8), 100.0, 0.0)
    assert kept(tmp_path, "best") == 1.0


def test_a_model_that_is_not_finite_is_never_the_best(keeper, tmp_path):
    keeper.keep(model(1.0), evaluation(1, accuracy=0.2), 100.0, 0.0)
    keeper.keep(model(2.0), evaluation(2, accuracy=0.9, loss=None), 100.0, 0.0)
    assert kept(tmp_path, "best") == 1.0


def test_without_classes_the_smaller_loss_is_better():
    assert merit_of(None, 0.3) > merit_of(None, 0.4)
    assert merit_of(0.5, None) is None


def test_the_final_model_is_a_file_that_any_program_reads(keeper):
    where = keeper.keep_final(model(4.0), evaluation(9))
    assert torch.equal(load_file(where)["weight"], torch.full((2, 2), 4.0))


def test_seconds_go_on_over_a_pause_and_are_counted_once_without_one(keeper):
    assert keeper.earlier_seconds(began=100.0) == 0.0
    keeper.keep(model(1.0), evaluation(1, seconds=40.0), 100.0, 5.0)
    assert keeper.earlier_seconds(began=100.0) == 5.0  # the same processes still train
    assert keeper.earlier_seconds(began=900.0) == 40.0


def test_what_cannot_be_saved_is_told_and_the_evaluation_goes_on(keeper, told, monkeypatch):
    def fail(*_):
        raise CheckpointError("the disk\nis full")

    monkeypatch.setattr(CheckpointStore, "save", fail)
    keeper.keep(model(1.0), evaluation(1), 100.0, 0.0)
    assert told == [Unsaved(reason="the disk is full")]
    with pytest.raises(CheckpointError):
        keeper.keep_final(model(1.0), evaluation(1))
