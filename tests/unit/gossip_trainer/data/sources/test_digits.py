import sys

import pytest
import torch
from sklearn.datasets import load_digits

from gossip_trainer.data.sources import digits
from gossip_trainer.errors import DataError


def everything(dataset):
    train = dataset.train_batch(torch.arange(dataset.num_examples))
    test = next(dataset.test_batches(10_000))
    return train, test


def test_both_splits_together_are_scikit_learns_digits():
    train, test = everything(digits.load())
    pixels = torch.cat([train.inputs, test.inputs]).flatten(1).mul(6.02).add(4.88).round().byte()
    rows = torch.cat([pixels, torch.cat([train.targets, test.targets])[:, None]], dim=1)
    images, classes = load_digits(return_X_y=True)
    expected = [
        [*map(int, image), int(label)] for image, label in zip(images, classes, strict=True)
    ]
    assert sorted(rows.tolist()) == sorted(expected)


def test_one_fifth_of_every_class_is_held_out():
    dataset = digits.load()
    train, test = everything(dataset)
    held_out = torch.bincount(test.targets) / (
        torch.bincount(train.targets) + torch.bincount(test.targets)
    )
    assert dataset.num_examples == 1438
    assert dataset.num_classes == 10
    assert held_out.min() > 0.19
    assert held_out.max() < 0.21


def test_the_split_never_changes():
    _, test = everything(digits.load())
    assert test.targets[:12].tolist() == [5, 7, 8, 9, 1, 3, 4, 6, 6, 3, 0, 2]
    assert int(test.inputs.mul(6.02).add(4.88).round().sum()) == 113315


def test_inputs_are_images_of_about_zero_mean_and_unit_variance():
    train, _ = everything(digits.load())
    assert train.inputs.shape == (1438, 1, 8, 8)
    assert abs(float(train.inputs.mean())) < 0.01
    assert abs(float(train.inputs.std()) - 1) < 0.01


def test_loading_does_not_import_scikit_learn_which_takes_seconds(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "sklearn"]:
        monkeypatch.delitem(sys.modules, name)
    digits.load()
    assert not [name for name in sys.modules if name.partition(".")[0] == "sklearn"]


def test_a_machine_without_scikit_learn_is_told_to_install_it(monkeypatch):
    monkeypatch.setattr(digits, "find_spec", lambda name: None)
    with pytest.raises(DataError, match="ship with scikit-learn, which is not installed"):
        digits.load()
