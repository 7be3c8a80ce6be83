"""What a run trained is what other programs load."""

import pytest
import torch
import yaml
from torch import nn
from torch.nn.functional import cross_entropy
from typer.testing import CliRunner

from gossip_api.loading import parse_job
from gossip_trainer.cli.app import app
from gossip_trainer.data.registry import load_dataset

pytestmark = [pytest.mark.jobs, pytest.mark.timeout(240)]

CHECKPOINT = {"storage": {"claimName": "any"}, "every": "60s"}


def export(*arguments):
    result = CliRunner().invoke(app, ["export", *map(str, arguments)])
    assert result.exit_code == 0, result.stderr


def scored_by_plain_torch(path, dataset) -> tuple[float, float]:
    """Return loss and accuracy of an exported model, in a program that knows nothing of us."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    module.load_state_dict(torch.load(path, weights_only=True))
    (batch,) = dataset.test_batches(10_000)
    with torch.no_grad():
        outputs = module(batch.inputs)
    correct = (outputs.argmax(1) == batch.targets).float().mean()
    return float(cross_entropy(outputs, batch.targets)), float(correct)


def test_an_exported_model_scores_the_same_elsewhere(run_job, digits, tmp_path):
    document = digits(
        workers__replicas=2, training__budget={"stepsPerWorker": 400}, checkpoint=CHECKPOINT
    )
    training = parse_job(yaml.safe_dump(document)).spec.training
    dataset = load_dataset(training.data, training.seed)
    run = run_job(document)
    assert run.outcome.state == "succeeded", run.outcome.reason

    for best in ((), ("--best",)):
        path = tmp_path / f"model{len(best)}.pt"
        export(run.out, "--output", path, *best)
        loss, accuracy = scored_by_plain_torch(path, dataset)
        if not best:
            assert loss == pytest.approx(run.final.loss, rel=1e-4)
            assert accuracy == pytest.approx(run.final.accuracy)
        else:
            assert accuracy >= run.final.accuracy - 1e-6
