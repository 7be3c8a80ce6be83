import gzip
import struct

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gossip_trainer.data.idx import check_labels, read_idx, read_labelled_images
from gossip_trainer.errors import DataError

ITEMS = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)


@pytest.mark.parametrize("compress", [False, True])
def test_a_file_is_read_as_bytes_of_its_shape(tmp_path, write_idx, compress):
    path = write_idx(tmp_path / "items", ITEMS, compress=compress)
    items = read_idx(path, (2, 3))
    assert items.dtype == torch.uint8
    assert items.tolist() == ITEMS.tolist()


def test_a_wrong_magic_number_is_named_with_the_expected_one(tmp_path, write_idx):
    path = write_idx(tmp_path / "labels", np.arange(4))
    with pytest.raises(DataError, match=r"labels: starts with 0x00000801, expected 0x00000803"):
        read_idx(path, (2, 3))


def test_items_of_another_shape_are_refused(tmp_path, write_idx):
    path = write_idx(tmp_path / "items", ITEMS)
    with pytest.raises(DataError, match=r"items have the shape \[2, 3\], expected \[28, 28\]"):
        read_idx(path, (28, 28))


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("items", [2**32 - 1, 2**27])
def test_absurd_dimensions_are_refused_before_memory_is_taken(
    tmp_path, write_idx, compress, items, monkeypatch
):
    def no_memory(*args, **kwargs):
        raise AssertionError("allocated")

    path = write_idx(tmp_path / "items", ITEMS, dims=(items, 2, 3), compress=compress)
    monkeypatch.setattr(np, "empty", no_memory)
    with pytest.raises(DataError, match=f"announces {items * 6} bytes of data"):
        read_idx(path, (2, 3))


def test_a_file_without_items_is_refused(tmp_path, write_idx):
    path = write_idx(tmp_path / "items", ITEMS[:0])
    with pytest.raises(DataError, match="announces 0 bytes"):
        read_idx(path, (2, 3))


@pytest.mark.parametrize("compress", [False, True])
def test_one_item_too_few_or_too_many_is_refused(tmp_path, write_idx, compress):
    short = write_idx(tmp_path / "short", ITEMS, dims=(5, 2, 3), compress=compress)
    long = write_idx(tmp_path / "long", ITEMS, dims=(3, 2, 3), compress=compress)
    with pytest.raises(DataError, match="short"):
        read_idx(short, (2, 3))
    with pytest.raises(DataError, match=r"long.*holds more than the 18 bytes"):
        read_idx(long, (2, 3))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_file_damaged_anywhere_is_read_or_refused_but_never_crashes(tmp_path_factory, data):
    content = bytes((0, 0, 8, 3)) + struct.pack(">3I", *ITEMS.shape) + ITEMS.tobytes()
    if data.draw(st.booleans(), label="compress"):
        content = gzip.compress(content)
    damaged = bytearray(content[: data.draw(st.integers(0, len(content)), label="end")])
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=3), label="places"):
        if place < len(damaged):
            damaged[place] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "items"
    path.write_bytes(damaged)
    try:
        items = read_idx(path, (2, 3))
    except DataError as error:
        assert str(path) in str(error)  # noqa: PT017 - both outcomes are allowed
    else:
        assert items.shape[1:] == (2, 3)


def test_images_and_labels_must_be_equally_many(tmp_path, write_idx):
    images = write_idx(tmp_path / "images", ITEMS)
    labels = write_idx(tmp_path / "labels", np.zeros(3))
    with pytest.raises(DataError, match=r"images has 4 images but .*labels has 3 labels"):
        read_labelled_images(images, labels, height=2, width=3, num_classes=10)


def test_images_get_a_channel_and_labels_become_classes(tmp_path, write_idx):
    images = write_idx(tmp_path / "images", ITEMS)
    labels = write_idx(tmp_path / "labels", np.array([3, 1, 2, 0]))
    batch = read_labelled_images(images, labels, height=2, width=3, num_classes=4)
    assert batch.inputs.shape == (4, 1, 2, 3)
    assert batch.targets.dtype == torch.int64
    assert batch.targets.tolist() == [3, 1, 2, 0]


def test_a_label_that_is_no_class_is_named_with_its_place(tmp_path):
    with pytest.raises(
        DataError, match="labels: label 10 of example 2 is no class; expected 0 to 9"
    ):
        check_labels(torch.tensor([0, 9, 10]), 10, tmp_path / "labels")
