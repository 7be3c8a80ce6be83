import pytest
import torch

from gossip_trainer.data.sources import quadratic
from gossip_trainer.errors import DataError

SMALL = {"dimension": 5, "examples": 1000, "precision": "float64"}


def pool(arguments, seed=1):
    dataset = quadratic.load(arguments, seed)
    return dataset.train_batch(torch.arange(dataset.num_examples)).inputs


def test_the_defaults_are_65536_examples_of_noise_one_in_64_coordinates():
    dataset = quadratic.load({}, seed=1)
    assert (dataset.num_examples, dataset.input_shape, dataset.num_classes) == (65_536, (64,), 1)
    assert dataset.train_targets.shape == (65_536,)
    assert dataset.train_batch(torch.tensor([3])).inputs.dtype == torch.float32


@pytest.mark.parametrize("sigma", [0.5, 3])
def test_in_every_coordinate_the_pools_mean_is_0_and_its_variance_that_of_the_noise(sigma):
    noise = pool({**SMALL, "noise": sigma})
    assert noise.dtype == torch.float64
    assert torch.allclose(noise.mean(0), torch.zeros(5, dtype=torch.float64), atol=1e-12)
    assert torch.allclose(noise.square().mean(0), torch.full((5,), float(sigma) ** 2).double())


def test_coordinates_are_normal_and_independent():
    noise = pool({**SMALL, "examples": 20_000})
    off_diagonal = (noise.T @ noise / len(noise)).triu(1)
    assert off_diagonal.abs().max() < 4.5 / 20_000**0.5
    # Of a normal distribution: kurtosis 3, with a standard error of sqrt(24 / n).
    assert (noise.pow(4).mean(0) - 3).abs().max() < 4.5 * (24 / 20_000) ** 0.5


def test_without_noise_there_is_none():
    assert not pool({**SMALL, "noise": 0}).any()


def test_the_same_seed_gives_the_same_noise_and_another_gives_other_noise():
    assert torch.equal(pool(SMALL), pool(SMALL))
    assert not torch.equal(pool(SMALL), pool(SMALL, seed=2))


def test_a_batch_may_hold_an_example_twice_and_be_larger_than_the_pool():
    dataset = quadratic.load({**SMALL, "examples": 2}, seed=1)
    inputs, targets = dataset.train_batch(torch.tensor([0, 1, 0]))
    assert torch.equal(inputs[0], inputs[2])
    assert targets.tolist() == [0, 0, 0]


def test_the_test_split_is_one_example_without_noise():
    (batch,) = quadratic.load(SMALL, seed=1).test_batches(500)
    assert torch.equal(batch.inputs, torch.zeros(1, 5, dtype=torch.float64))
    assert batch.targets.tolist() == [0]


def test_the_outputs_are_the_losses_and_no_class_is_found():
    dataset = quadratic.load(SMALL, seed=1)
    outputs = torch.tensor([[1.0], [4.0]])
    assert dataset.loss(outputs, torch.zeros(2)) == 2.5
    assert dataset.grade(outputs, torch.zeros(2)) == (5.0, None)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("dimension", 0, "an integer >= 1"),
        ("dimension", 2.0, "an integer >= 1"),
        ("noise", -1, "a number >= 0"),
        ("noise", True, "a number >= 0"),
        ("noise", float("inf"), "a number >= 0"),
        ("examples", 1, "an integer >= 2"),
        ("examples", 2**28, "at most 268435456 numbers in all examples"),
        ("precision", "float16", "one of float32, float64"),
        ("precision", ["float32"], "one of float32, float64"),
    ],
)
def test_a_wrong_argument_is_named_with_what_is_allowed(name, value, expected):
    with pytest.raises(DataError) as caught:
        quadratic.load({name: value}, seed=1)
    assert (
        str(caught.value) == f"spec.training.data.args.{name}: got {value!r}, expected {expected}"
    )
