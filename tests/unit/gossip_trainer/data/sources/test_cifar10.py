import pickle
import shutil
import tarfile

import pytest
import torch

from gossip_trainer.data.sources import cifar10
from gossip_trainer.errors import DataError


def no_network(resource, folder):
    raise TimeoutError("no answer")


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("below", [".", "cifar-10-batches-bin"])
def test_the_binary_version_is_read(tmp_path, write_cifar10, compress, below):
    write_cifar10(tmp_path / below, compress=compress)
    dataset = cifar10.load(tmp_path, fetch=no_network)
    assert (dataset.num_examples, dataset.num_classes) == (20, 10)
    assert dataset.input_shape == (3, 32, 32)
    assert dataset.train_targets.tolist() == [0, 1, 2, 3] * 5
    red, green, _ = dataset.train_batch(torch.tensor([7])).inputs[0, :, 31, 31].tolist()
    assert red == pytest.approx((30 - 125.3) / 63.0)
    assert green == pytest.approx(-123.0 / 62.1)
    assert len(next(dataset.test_batches(100)).targets) == 4


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was read",))


def test_pickled_files_are_never_read_and_the_error_says_which_version_is_wanted(tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in ("data_batch_1", "test_batch"):
        (folder / name).write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(DataError, match=r"cifar-10-binary\.tar\.gz.*pickled and is never read"):
        cifar10.load(tmp_path, fetch=no_network)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda content: content[:-1], "found 12291 bytes"),
        (lambda content: b"", "found 0 bytes"),
        (lambda content: content * 2501, "found more"),
        (lambda content: b"\x0a" + content[1:], "label 10 of example 0 is no class"),
    ],
    ids=["cut off", "empty", "too long", "wrong label"],
)
def test_a_malformed_file_is_named(tmp_path, write_cifar10, change, found):
    path = write_cifar10(tmp_path) / "data_batch_3.bin"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataError, match=rf"data_batch_3\.bin: .*{found}"):
        cifar10.load(tmp_path, fetch=no_network)


def archive(folder, extra=None):
    path = folder / "cifar-10-binary.tar.gz"
    with tarfile.open(path, "w:gz") as members:
        members.add(folder / cifar10.FOLDER, cifar10.FOLDER)
        if extra:
            members.add(extra, "../escaped.bin")
    return path


def test_files_that_are_nowhere_are_downloaded_and_unpacked_once(
    tmp_path, write_cifar10, empty_cache
):
    write_cifar10(tmp_path / cifar10.FOLDER)
    server = archive(tmp_path, extra=tmp_path / cifar10.FOLDER / "test_batch.bin")
    fetched = []

    def fetch(resource, folder):
        fetched.append(resource.name)
        shutil.copy(server, folder)

    for _ in range(2):
        assert cifar10.load(None, fetch=fetch).num_examples == 20
    assert fetched == ["cifar-10-binary.tar.gz"]
    assert sorted(path.name for path in (empty_cache / "cifar10").iterdir()) == sorted(
        [*cifar10.TRAIN_FILES, cifar10.TEST_FILE]
    )
    assert not list(tmp_path.rglob("escaped.bin"))


@pytest.mark.parametrize("content", ["no archive", "other members"])
def test_a_download_that_is_not_the_archive_is_refused(tmp_path, content):
    def fetch(resource, folder):
        if content == "no archive":
            (folder / resource.name).write_bytes(b"<html>")
            return
        (tmp_path / cifar10.FOLDER).mkdir()
        shutil.copy(archive(tmp_path), folder)

    with pytest.raises(DataError, match="not the expected archive"):
        cifar10.load(None, fetch=fetch)


def test_without_files_and_network_the_error_says_where_which_and_what_to_do(empty_cache):
    with pytest.raises(DataError) as caught:
        cifar10.load(None, fetch=no_network)
    text = str(caught.value)
    for part in (str(empty_cache), "data_batch_5.bin", "no answer", "spec.training.data.root"):
        assert part in text
