import pytest
import torch
from torch import nn

from gossip_trainer.data.dataset import Batch, InMemoryDataset
from gossip_trainer.data.sources import quadratic, text
from gossip_trainer.evaluation.scoring import BATCH_SIZE, Score, score
from gossip_trainer.models.quadratic import quadratic as build_quadratic


@pytest.fixture
def dataset():
    """Inputs are logits of two classes; three quarters of the targets follow them."""
    size = BATCH_SIZE + 100  # the second batch is smaller
    inputs = torch.tensor([[2.0, 0.0], [0.0, 2.0]]).repeat(size // 2, 1)
    targets = torch.tensor([0, 1, 0, 0]).repeat(size // 4)
    return InMemoryDataset(Batch(inputs, targets), Batch(inputs, targets), num_classes=2)


def test_loss_and_accuracy_are_means_over_examples_not_over_batches(dataset):
    found = score(nn.Identity(), dataset)
    inputs, targets = next(dataset.test_batches(10**6))
    expected = nn.functional.cross_entropy(inputs, targets)
    assert found.accuracy == 0.75
    assert found.loss == pytest.approx(float(expected), rel=1e-6)


def test_of_sequences_they_are_means_over_all_positions(tmp_path):
    (tmp_path / "text").write_bytes(bytes([1, 2, 3, 1, 2, 1, 9]))
    data = text.load({"train": "text", "test": "text", "context": 3}, tmp_path)
    successors = torch.zeros(256, 256)
    successors[[1, 2, 3], [2, 3, 1]] = 5.0  # right for 4 of the 6 pairs
    found = score(nn.Embedding.from_pretrained(successors), data)
    assert found.accuracy == pytest.approx(4 / 6)
    normalizer = torch.tensor([5.0] + [0.0] * 255).logsumexp(0).item()
    assert found.loss == pytest.approx(normalizer - 5.0 * 4 / 6)


def test_where_there_are_no_classes_there_is_no_accuracy():
    data = quadratic.load({"dimension": 4, "examples": 10}, seed=1)
    model = build_quadratic(input_shape=(4,), num_classes=1, curvature=0.5, start=2.0)
    assert score(model, data) == Score(loss=0.25 * 4 * 4, accuracy=None)


def test_a_test_changes_no_parameter_no_statistic_and_no_gradient(dataset):
    module = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.5), nn.Linear(2, 2))
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    first, second = score(module, dataset), score(module, dataset)
    assert first == second
    assert all(torch.equal(before[name], t) for name, t in module.state_dict().items())
    assert all(parameter.grad is None for parameter in module.parameters())
