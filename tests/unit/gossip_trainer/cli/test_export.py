import runpy
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from gossip_api.loading import load_job
from gossip_trainer.checkpoint.store import Checkpoint, CheckpointStore
from gossip_trainer.data.registry import load_dataset
from gossip_trainer.evaluation.scoring import score
from gossip_trainer.replica.export import save_model

MODEL = """
from torch import nn

def build(input_shape, num_classes):
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, num_classes)
    )
"""


@pytest.fixture
def module(monkeypatch):
    """A user's model with a batch norm, whose values are this test's own."""
    Path("own_norm_model.py").write_text(MODEL)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "own_norm_model", raising=False)
    torch.manual_seed(7)
    return runpy.run_path("own_norm_model.py")["build"]((1, 8, 8), 10)


@pytest.fixture
def dataset(job_file):
    training = load_job(job_file).spec.training
    return load_dataset(training.data, training.seed)


@pytest.fixture
def run(job_file, module) -> Path:
    """The directory of a run that left its final model."""
    directory = Path("finished")
    directory.mkdir()
    text = job_file.read_text().replace("name: mlp", "name: own_norm_model:build")
    (directory / "job.yaml").write_text(text)
    save_model(
        module,
        directory / "model.safetensors",
        {"job": "digits", "samples": "1000", "loss": "0.25", "accuracy": "0.75"},
    )
    return directory


def keep(root, kind: str, *, accuracy: float | None, value: float, step: int = 500) -> None:
    facts = {"samples": step, "loss": 0.5, "accuracy": accuracy}
    CheckpointStore(root, kind, 1).save(Checkpoint(step, {"x": torch.tensor(value)}, facts))


def test_the_final_model_loads_with_plain_torch_and_scores_the_same(gossip, run, module, dataset):
    result = gossip("export", run, "--output", "trained.pt")

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "trained.pt: the final model, after 1,000 samples: loss 0.2500, accuracy 0.7500\n"
    )
    trained = score(module, dataset)
    with torch.no_grad():
        for tensor in module.state_dict().values():
            tensor.zero_()
    module.load_state_dict(torch.load("trained.pt", weights_only=True))
    assert score(module, dataset) == trained


def test_as_safetensors_it_says_what_it_is(gossip, run, module):
    assert gossip("export", run).exit_code == 0

    with safe_open("model.safetensors", framework="pt") as file:
        assert file.metadata() == {
            "job": "digits",
            "samples": "1000",
            "loss": "0.25",
            "accuracy": "0.75",
        }
    assert load_file("model.safetensors").keys() == module.state_dict().keys()


def test_a_file_that_exists_is_not_written_over(gossip, run):
    Path("mine.pt").write_text("precious")

    result = gossip("export", run, "--output", "mine.pt")

    assert result.exit_code == 2
    assert result.stderr == "error: mine.pt: exists already; name another file with --output\n"
    assert Path("mine.pt").read_text() == "precious"


def test_recalibrated_statistics_are_those_of_the_data_and_the_score_is_taken_anew(
    gossip, run, module, dataset
):
    with torch.no_grad():
        module[2].running_mean.fill_(1000.0)
    save_model(module, run / "model.safetensors", {"samples": "1000", "loss": "9.0"})

    result = gossip("export", run, "--recalibrate", 4, "--output", "model.safetensors")

    assert result.exit_code == 0
    module.load_state_dict(load_file("model.safetensors"))
    assert module[2].running_mean.abs().max() < 10
    found = score(module, dataset)
    assert f"loss {found.loss:.4f}, accuracy {found.accuracy:.4f}" in result.stdout


def test_a_run_that_was_killed_has_the_last_model_that_was_evaluated(gossip, run):
    (run / "model.safetensors").unlink()
    keep(run / "checkpoints", "last", accuracy=0.5, value=1.0)

    result = gossip("export", run)

    assert "the last model, after 500 samples: loss 0.5000, accuracy 0.5000" in result.stdout
    assert load_file("model.safetensors")["x"] == 1.0


def test_of_a_run_that_was_cut_short_and_went_on_the_later_model_counts(gossip, run):
    keep(run / "checkpoints", "last", accuracy=0.5, value=1.0, step=400_000)

    result = gossip("export", run)

    assert "the last model, after 400,000 samples" in result.stdout


@pytest.mark.parametrize(("best", "value"), [(0.9, 2.0), (0.1, 3.0)])
def test_the_best_is_the_best_of_all_the_final_one_included(gossip, best, value):
    keep("kept", "best", accuracy=best, value=2.0)
    keep("kept", "final", accuracy=0.5, value=3.0)

    assert gossip("export", "kept", "--best").exit_code == 0

    assert load_file("model.safetensors")["x"] == value


def test_without_classes_the_lowest_loss_is_the_best(gossip):
    keep("kept", "best", accuracy=None, value=2.0)

    result = gossip("export", "kept", "--best")

    assert result.stdout == ("model.safetensors: the best model, after 500 samples: loss 0.5000\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere",), "nowhere: is neither the directory of a run nor a folder or URL"),
        (("empty",), "empty: holds no model; a job leaves one at its end"),
        (("empty", "--best"), "empty: keeps no best model; a job does that if it has spec.check"),
        (("kept", "--recalibrate", "3"), "--recalibrate needs the job's model and data; name its"),
        (("kept", "--output", "no/model.pt"), "no/model.pt: there is no folder no; name another"),
    ],
)
def test_what_cannot_be_exported_is_said_with_what_to_do(gossip, arguments, said):
    Path("empty").mkdir()
    keep("kept", "final", accuracy=0.5, value=3.0)

    result = gossip("export", *arguments)

    assert result.exit_code == 2
    assert said in result.stderr


def test_a_model_of_another_job_is_not_recalibrated(gossip, job_file):
    keep("kept", "final", accuracy=0.5, value=3.0)

    result = gossip("export", "kept", "--recalibrate", "3", "--job", job_file)

    assert result.exit_code == 2
    assert "the model is not that of the job" in result.stderr
