"""The real files, as Debian's package dataset-fashion-mnist installs them."""

import pytest
import torch

from gossip_trainer.data.sources import fashion_mnist


def refuse(resource, folder):
    raise TimeoutError("this test downloads nothing")


def test_the_packages_files_are_found_and_read_whole(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    dataset = fashion_mnist.load(None, fetch=refuse)
    assert dataset.input_shape == (1, 28, 28)
    assert torch.bincount(dataset.train_targets).tolist() == [6000] * 10
    tested = torch.cat([batch.targets for batch in dataset.test_batches(1000)])
    assert torch.bincount(tested).tolist() == [1000] * 10
    inputs = dataset.train_batch(torch.arange(dataset.num_examples)).inputs
    assert float(inputs.mean()) == pytest.approx(0.0, abs=1e-3)
    assert float(inputs.std()) == pytest.approx(1.0, abs=1e-3)
