import json

import pytest
import torch
from jpegs import write_jpeg
from tar_shards import write_shard

from gossip_trainer.data.sampler import Share
from gossip_trainer.data.sources import webdataset
from gossip_trainer.data.stream import StreamPlan
from gossip_trainer.errors import DataError

ALONE = Share(0, 1)
ARGUMENTS = {
    "train": "train-{0..1}.tar", "test": "test.tar", "classes": 3, "size": 8, "processes": 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    return [write_jpeg(folder / f"{n}.jpg", seed=n).read_bytes() for n in range(6)]


@pytest.fixture
def folder(tmp_path, photos):
    """Samples 0 to 3 for training, in two shards, 4 and 5 for tests; class n modulo 3."""
    for name, numbers in (("train-0", (0, 1)), ("train-1", (2, 3)), ("test", (4, 5))):
        samples = [(f"{n:04}", {"jpg": photos[n], "cls": str(n % 3).encode()}) for n in numbers]
        write_shard(tmp_path / f"{name}.tar", samples)
    return tmp_path


def load(folder, **changes):
    arguments = {**ARGUMENTS, **changes}
    return webdataset.load({k: v for k, v in arguments.items() if v is not None}, folder)


def stream(dataset, *, batch_size=4, state=None, share=ALONE, num_processes=None):
    plan = StreamPlan(
        batch_size=batch_size,
        share=share,
        sharding="Partition",
        seed=1,
        stream=share.index,
        num_processes=num_processes,
    )
    return dataset.stream(plan, state)


def test_images_come_normalised_with_their_classes(folder):
    dataset = load(folder)
    assert (dataset.num_examples, dataset.input_shape, dataset.num_classes) == (4, (3, 8, 8), 3)
    inputs, targets = next(stream(dataset))
    assert inputs.shape == (4, 3, 8, 8)
    assert inputs.dtype == torch.float32
    assert -3 < inputs.min() < inputs.max() < 3
    assert sorted(targets.tolist()) == [0, 0, 1, 2]


def test_the_test_split_is_read_in_order_and_without_chance(folder):
    dataset = load(folder)
    (first,), (second,) = list(dataset.test_batches(10)), list(dataset.test_batches(10))
    assert first.targets.tolist() == [1, 2]
    assert torch.equal(first.inputs, second.inputs)
    assert [len(batch.targets) for batch in dataset.test_batches(1)] == [1, 1]


def test_an_image_is_shown_otherwise_in_every_epoch(folder):
    batches = stream(load(folder, train="train-0.tar"), batch_size=2)
    first, second = next(batches), next(batches)
    order = [second.targets.tolist().index(target) for target in first.targets.tolist()]
    assert not torch.equal(first.inputs, second.inputs[order])


@pytest.mark.parametrize("num_processes", [0, 2])
def test_a_stream_goes_on_where_another_stopped_whoever_decodes(folder, num_processes):
    dataset = load(folder, shuffle=3)
    whole = stream(dataset, batch_size=3)
    for _ in range(3):
        next(whole)
    state = json.loads(json.dumps(whole.state()))
    resumed = stream(dataset, batch_size=3, state=state, num_processes=num_processes)
    assert resumed.state() == state
    for _ in range(4):
        expected, found = next(whole), next(resumed)
        assert torch.equal(found.targets, expected.targets)
        assert torch.equal(found.inputs, expected.inputs)
    assert resumed.state() == whole.state()
    resumed.close()
    whole.close()


def test_workers_divide_the_shards(folder):
    dataset = load(folder)
    of_workers = [next(stream(dataset, batch_size=2, share=Share(i, 2))) for i in (0, 1)]
    assert [sorted(batch.targets.tolist()) for batch in of_workers] == [[0, 1], [0, 2]]


def test_the_number_of_examples_can_be_said_and_is_counted_otherwise(folder):
    assert load(folder, numExamples=1_281_167).num_examples == 1_281_167
    assert load(folder, train="train-1.tar").num_examples == 2


def test_a_class_can_be_a_field_of_a_json(folder, photos):
    write_shard(
        folder / "json.tar",
        [("a", {"jpeg": photos[0], "json": json.dumps({"label": 2, "kind": 1}).encode()})],
    )
    for field, target in ((None, 2), ("kind", 1)):
        (batch,) = load(folder, test="json.tar", label=field).test_batches(1)
        assert batch.targets.tolist() == [target]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"cls": b"1"}, "it has cls but no jpg, jpeg, png"),
        ({"txt": b"1"}, "it has nothing that is read but no jpg"),
        ({"jpg": b""}, "it has jpg but no cls and no json, for its class"),
        ({"jpg": b"", "cls": b"3"}, "its class is '3', expected 0 to 2"),
        ({"jpg": b"", "cls": b"-1\n"}, "its class is '-1', expected 0 to 2"),
        ({"jpg": b"", "cls": b"cat"}, "its class is 'cat', expected 0 to 2"),
        ({"jpg": b"", "json": b"{"}, "its json cannot be read: "),
        ({"jpg": b"", "json": b"[1]"}, "its json has no field 'label'; args.label names another"),
        ({"jpg": b"", "json": b'{"label": null}'}, "its class is None, expected 0 to 2"),
        ({"jpg": b"", "cls": b"1"}, "cannot be decoded as an image"),
    ],
)
def test_a_bad_sample_is_named_with_its_shard_and_key(folder, parts, message):
    write_shard(folder / "bad.tar", [("x/7", parts)])
    with pytest.raises(DataError, match=rf"bad\.tar: sample x/7: {message}"):
        list(load(folder, test="bad.tar").test_batches(5))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": None}, r"args\.classes: got None, expected an integer >= 2"),
        ({"train": None}, r"args\.train: got None, expected a path"),
        ({"test": None}, r"args\.test: got None, expected a path"),
        ({"shuffle": 0}, r"args\.shuffle: got 0, expected an integer >= 1"),
        ({"numExamples": 0}, r"args\.numExamples: got 0, expected an integer >= 1"),
        ({"label": 1}, r"args\.label: got 1, expected the name of a field"),
        ({"train": "train-{0..2}.tar"}, r"train-2\.tar is not there"),
        ({"train": "none.tar"}, r"there is no sample in the 1 shards, the first of which is"),
    ],
)
def test_a_wrong_argument_is_named_with_its_place(folder, changes, message):
    write_shard(folder / "none.tar", [])
    with pytest.raises(DataError, match=message):
        load(folder, **changes)
