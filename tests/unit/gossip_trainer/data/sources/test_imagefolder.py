import pytest
import torch
from jpegs import write_image_folder

from gossip_api.training import Data
from gossip_trainer.data.registry import load_dataset
from gossip_trainer.data.sampler import Share
from gossip_trainer.data.stream import StreamPlan
from gossip_trainer.errors import DataError


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_image_folder(tmp_path_factory.mktemp("images"))


def load(root, **args):
    data = Data(name="imagefolder", root=root and str(root), args={"processes": 0, **args})
    return load_dataset(data, seed=1)


def plan(**changed):
    settings = {
        "batch_size": 4,
        "share": Share(0, 1),
        "sharding": "Partition",
        "seed": 1,
        "stream": 0,
    }
    return StreamPlan(**(settings | changed))


def test_a_folder_of_images_is_a_data_set(root):
    dataset = load(root, size=16)
    assert dataset.num_examples == 12
    assert dataset.num_classes == 3
    assert dataset.input_shape == (3, 16, 16)
    inputs, targets = next(dataset.stream(plan()))
    assert inputs.shape == (4, 3, 16, 16)
    assert (inputs.dtype, targets.dtype) == (torch.float32, torch.int64)


def test_an_epoch_shows_every_image_once(root):
    stream = load(root, size=8).stream(plan(batch_size=6))
    targets = torch.cat([next(stream).targets for _ in range(2)])
    assert torch.bincount(targets).tolist() == [4, 4, 4]


def test_images_are_normalised_as_for_imagenet(root):
    inputs = torch.cat([batch.inputs for batch in load(root, size=16).test_batches(2)])
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    raw = inputs * std.view(-1, 1, 1) + mean.view(-1, 1, 1)
    assert 0 <= raw.min() < 0.2
    assert 0.8 < raw.max() <= 1
    assert torch.allclose(raw * 255, (raw * 255).round(), atol=1e-3)


def test_the_test_split_comes_in_order_whatever_the_batch_size(root):
    dataset = load(root, size=8)
    one, other = (list(dataset.test_batches(size)) for size in (4, 500))
    assert torch.cat([batch.targets for batch in one]).tolist() == [0, 0, 1, 1, 2, 2]
    assert torch.equal(torch.cat([batch.inputs for batch in one]), other[0].inputs)


def test_an_image_is_shown_anew_every_epoch(root):
    stream = load(root, size=8).stream(plan(batch_size=12))
    first, second = (
        next(iter(batch.inputs[batch.targets.argsort(stable=True)] for batch in [next(stream)]))
        for _ in range(2)
    )
    assert not torch.equal(first, second)


def test_workers_that_share_all_images_see_different_parts_of_them(root):
    dataset = load(root, size=8)
    one, other = (
        next(dataset.stream(plan(batch_size=12, sharding="Shared", stream=stream))).inputs
        for stream in (0, 1)
    )
    pixels = [set(map(tuple, inputs.flatten(1).tolist())) for inputs in (one, other)]
    assert not pixels[0] & pixels[1]


def test_the_stream_does_not_change_between_versions(root):
    stream = load(root, size=8).stream(plan())
    assert [next(stream).targets.tolist() for _ in range(2)] == [[2, 2, 2, 0], [0, 2, 1, 1]]


@pytest.mark.heavy
def test_a_test_split_that_is_decoded_in_processes_is_the_same(root):
    here, beside = (
        list(load(root, size=8, processes=number).test_batches(500)) for number in (0, 2)
    )
    assert torch.equal(here[0].inputs, beside[0].inputs)


def test_a_job_without_a_folder_is_told_what_is_expected():
    with pytest.raises(DataError, match=r"data.root: is required .* train/<class>/ and val/"):
        load(None)


def test_a_folder_without_a_test_split_is_refused(tmp_path):
    write_image_folder(tmp_path, val=0)
    with pytest.raises(DataError, match="/val: cannot be read"):
        load(tmp_path)
