import pytest
import torch
from torch.nn.functional import cross_entropy

from gossip_trainer.data.dataset import Batch, InMemoryDataset, Normalization


def grey(count: int) -> Batch:
    pixels = torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 2, 2)
    return Batch(pixels.contiguous(), torch.arange(count) % 3)


@pytest.fixture
def dataset() -> InMemoryDataset:
    normalization = Normalization(mean=(2.0,), std=(4.0,))
    return InMemoryDataset(grey(10), grey(5), num_classes=3, normalization=normalization)


def test_it_says_what_it_holds(dataset):
    assert dataset.num_examples == 10
    assert dataset.input_shape == (1, 2, 2)
    assert dataset.num_classes == 3
    assert dataset.train_targets.tolist() == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]


def test_a_batch_holds_the_examples_asked_for_in_that_order_normalised(dataset):
    inputs, targets = dataset.train_batch(torch.tensor([6, 0, 6]))
    assert inputs.dtype == torch.float32
    assert inputs.shape == (3, 1, 2, 2)
    assert inputs[:, 0, 0, 0].tolist() == [1.0, -0.5, 1.0]
    assert targets.tolist() == [0, 0, 0]


def test_changing_a_batch_changes_no_data(dataset):
    indices = torch.tensor([1, 2])
    before = dataset.train_batch(indices).inputs.clone()
    dataset.train_batch(indices).inputs.zero_()
    assert torch.equal(dataset.train_batch(indices).inputs, before)
    next(dataset.test_batches(5)).inputs.zero_()
    assert next(dataset.test_batches(5)).inputs[:, 0, 0, 0].tolist() == [-0.5, -0.25, 0, 0.25, 0.5]


def test_test_batches_cover_the_test_split_once_and_in_order(dataset):
    batches = list(dataset.test_batches(2))
    assert [len(batch.targets) for batch in batches] == [2, 2, 1]
    assert torch.cat([batch.targets for batch in batches]).tolist() == [0, 1, 2, 0, 1]
    values = torch.cat([batch.inputs for batch in batches])[:, 0, 0, 0]
    assert values.tolist() == [-0.5, -0.25, 0.0, 0.25, 0.5]


def test_every_channel_may_have_constants_of_its_own():
    colours = Batch(
        torch.full((1, 3, 2, 2), 8, dtype=torch.uint8), torch.zeros(1, dtype=torch.long)
    )
    normalization = Normalization(mean=(0.0, 8.0, 4.0), std=(2.0, 1.0, 8.0))
    dataset = InMemoryDataset(colours, colours, num_classes=1, normalization=normalization)
    inputs = dataset.train_batch(torch.tensor([0])).inputs
    assert inputs[0, :, 1, 1].tolist() == [4.0, 0.0, 0.5]


def test_float_inputs_stay_as_they_are_without_constants():
    raw = Batch(torch.randn(4, 7), torch.zeros(4, dtype=torch.long))
    dataset = InMemoryDataset(raw, raw, num_classes=1)
    assert torch.equal(dataset.train_batch(torch.arange(4)).inputs, raw.inputs)


def test_its_loss_is_cross_entropy_and_its_grade_the_sum_of_it_and_the_classes_found(dataset):
    outputs, targets = torch.tensor([[3.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 1])
    assert dataset.loss(outputs, targets) == cross_entropy(outputs, targets)
    loss, correct = dataset.grade(outputs, targets)
    assert loss == pytest.approx(2 * float(cross_entropy(outputs, targets)))
    assert correct == 1
