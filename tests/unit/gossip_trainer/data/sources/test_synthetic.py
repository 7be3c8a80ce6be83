import pytest
import torch

from gossip_trainer.data.sources import synthetic
from gossip_trainer.errors import DataError


def everything(dataset):
    train = dataset.train_batch(torch.arange(dataset.num_examples))
    return train, next(dataset.test_batches(dataset.num_examples))


def test_the_defaults_are_a_small_vector_problem_of_ten_classes():
    dataset = synthetic.load({}, seed=1)
    assert (dataset.num_examples, dataset.input_shape, dataset.num_classes) == (4096, (32,), 10)
    assert len(everything(dataset)[1].targets) == 820


def test_size_shape_and_classes_are_as_asked():
    arguments = {"examples": 10, "shape": [3, 4, 4], "classes": 2}
    train, test = everything(synthetic.load(arguments, seed=1))
    assert train.inputs.shape == (10, 3, 4, 4)
    assert train.inputs.dtype == torch.float32
    assert torch.bincount(train.targets).tolist() == [5, 5]
    assert test.inputs.shape == (2, 3, 4, 4)


def test_the_same_seed_gives_the_same_data_and_another_gives_other_data():
    inputs = [everything(synthetic.load({}, seed))[0].inputs for seed in (1, 1, 2)]
    assert torch.equal(inputs[0], inputs[1])
    assert not torch.equal(inputs[0], inputs[2])


@pytest.mark.parametrize(
    ("noise", "low", "high"), [(0.5, 0.999, 1.0), (2.0, 0.8, 1.0), (50, 0, 0.3)]
)
def test_classes_can_be_told_apart_as_far_as_the_noise_lets_them(noise, low, high):
    train, test = everything(synthetic.load({"noise": noise}, seed=1))
    means = torch.stack([train.inputs[train.targets == label].mean(0) for label in range(10)])
    accuracy = (torch.cdist(test.inputs, means).argmin(1) == test.targets).float().mean()
    assert low <= accuracy <= high


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"examples": 0}, "args.examples: got 0, expected an integer >= 1"),
        ({"examples": "many"}, "args.examples: got 'many', expected an integer"),
        ({"features": True}, "args.features: got True, expected an integer"),
        ({"shape": 8}, "args.shape: got 8, expected a list of positive integers"),
        ({"shape": []}, r"args.shape: got \[\], expected a list"),
        ({"shape": [1, -8]}, "args.shape: got -8, expected an integer >= 1"),
        ({"shape": [8], "features": 8}, "args.features: got 'set together with shape'"),
        ({"classes": 1}, "args.classes: got 1, expected an integer >= 2"),
        ({"noise": 0}, "args.noise: got 0, expected a number > 0"),
        ({"noise": float("nan")}, "args.noise: got nan"),
        ({"examples": 2**40}, "args.examples: got 1099511627776, expected at most"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(arguments, text):
    with pytest.raises(DataError, match=rf"spec\.training\.data\.{text}"):
        synthetic.load(arguments, seed=1)
