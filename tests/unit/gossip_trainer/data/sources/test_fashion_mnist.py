import shutil

import pytest
import torch

from gossip_trainer.data.sources import fashion_mnist
from gossip_trainer.errors import DataError


def no_network(resource, folder):
    raise TimeoutError("no answer")


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("below", [".", "FashionMNIST/raw"])
def test_files_are_read_from_the_root_or_as_torchvision_lays_them_out(
    tmp_path, write_fashion_mnist, compress, below
):
    write_fashion_mnist(tmp_path / below, compress=compress)
    dataset = fashion_mnist.load(tmp_path, fetch=no_network)
    assert (dataset.num_examples, dataset.num_classes) == (30, 10)
    assert dataset.input_shape == (1, 28, 28)
    inputs, targets = dataset.train_batch(torch.tensor([0, 29]))
    assert targets.tolist() == [0, 9]
    assert inputs[:, 0, 27, 27].tolist() == pytest.approx([-0.2860 / 0.3530, -0.4881], abs=1e-4)
    assert sum(len(batch.targets) for batch in dataset.test_batches(8)) == 20


def test_without_a_root_the_usual_folders_are_searched(tmp_path, write_fashion_mnist):
    folder = write_fashion_mnist(tmp_path / "usual")
    dataset = fashion_mnist.load(None, usual_folders=(folder,), fetch=no_network)
    assert dataset.num_examples == 30


def test_files_that_are_nowhere_are_downloaded_once(
    tmp_path, write_fashion_mnist, empty_cache, monkeypatch
):
    source = write_fashion_mnist(tmp_path / "server", compress=True)
    fetched = []

    def fetch(resource, folder):
        fetched.append(resource.name)
        shutil.copy(source / resource.name, folder)

    for _ in range(2):
        assert fashion_mnist.load(None, usual_folders=(), fetch=fetch).num_examples == 30
    assert sorted(fetched) == sorted(f"{name}.gz" for name in fashion_mnist.FILES)
    assert sorted(path.name for path in (empty_cache / "fashion-mnist").iterdir()) == sorted(
        fetched
    )


def test_without_files_and_network_the_error_says_where_which_and_what_to_do(tmp_path):
    with pytest.raises(DataError) as caught:
        fashion_mnist.load(None, usual_folders=(tmp_path / "usual",), fetch=no_network)
    text = str(caught.value)
    for part in (
        "fashion-mnist",
        str(tmp_path / "usual"),
        *fashion_mnist.FILES,
        "no answer",
        "dataset-fashion-mnist",
        "spec.training.data.root",
    ):
        assert part in text


def test_a_root_without_the_files_is_never_filled_in_from_elsewhere(tmp_path, write_fashion_mnist):
    usual = write_fashion_mnist(tmp_path / "usual")
    with pytest.raises(DataError, match=r"correct spec\.training\.data\.root"):
        fashion_mnist.load(tmp_path / "root", usual_folders=(usual,), fetch=no_network)


@pytest.mark.parametrize("name", fashion_mnist.FILES)
def test_a_truncated_file_is_named(tmp_path, write_fashion_mnist, name):
    path = write_fashion_mnist(tmp_path) / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=name):
        fashion_mnist.load(tmp_path, fetch=no_network)
