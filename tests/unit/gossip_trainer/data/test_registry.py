import pytest
import torch

from gossip_api.training import BUILT_IN_DATA, Data
from gossip_trainer.data.registry import SOURCES, load_dataset
from gossip_trainer.errors import DataError


def test_there_is_a_source_for_every_name_that_a_job_may_use():
    assert set(SOURCES) == set(BUILT_IN_DATA)


def test_digits_need_nothing_but_their_name():
    assert load_dataset(Data(name="digits"), seed=1).input_shape == (1, 8, 8)


def test_the_folder_of_the_job_is_used(tmp_path, write_fashion_mnist):
    data = Data(name="fashion-mnist", root=str(write_fashion_mnist(tmp_path / "files")))
    assert load_dataset(data, seed=1).num_examples == 30


def test_a_folder_may_begin_with_a_tilde(tmp_path, write_cifar10, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_cifar10(tmp_path / "files")
    assert load_dataset(Data(name="cifar10", root="~/files"), seed=1).num_examples == 20


def test_generated_data_follow_the_jobs_seed_and_arguments():
    def inputs(seed):
        data = Data(name="synthetic", args={"examples": 10, "features": 3})
        return load_dataset(data, seed).train_batch(torch.arange(10)).inputs

    assert torch.equal(inputs(1), inputs(1))
    assert not torch.equal(inputs(1), inputs(2))


def test_an_unknown_argument_is_named_with_the_nearest_and_all_allowed():
    with pytest.raises(DataError) as caught:
        load_dataset(Data(name="synthetic", args={"exmples": 3}), seed=1)
    assert str(caught.value) == (
        "spec.training.data.args.exmples: unknown argument of synthetic (did you mean examples?); "
        "allowed are examples, features, shape, classes, noise"
    )


def test_a_source_without_arguments_says_so():
    with pytest.raises(DataError, match="unknown argument of digits; it takes none; remove it"):
        load_dataset(Data(name="digits", args={"size": 8}), seed=1)
