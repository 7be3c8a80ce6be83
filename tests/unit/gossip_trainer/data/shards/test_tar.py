import gzip
import tarfile

import pytest
from tar_shards import write_shard

from gossip_trainer.data.shards.tar import Sample, count_samples, read_shard
from gossip_trainer.errors import DataError

KINDS = ("jpg", "cls")


@pytest.fixture
def shard(tmp_path):
    samples = [
        ("train/a", {"jpg": b"A" * 700, "cls": b"1"}),
        ("train/b", {"JPG": b"B", "json": b"{}", "cls": b"2"}),
        ("other/b", {"jpg": b"C", "seg.png": b"D", "cls": b"3"}),
    ]
    return write_shard(tmp_path / "s.tar", samples)


def test_members_of_one_name_up_to_its_first_dot_are_a_sample(shard):
    assert list(read_shard(shard, KINDS)) == [
        Sample(shard, "train/a", {"jpg": b"A" * 700, "cls": b"1"}),
        Sample(shard, "train/b", {"jpg": b"B", "cls": b"2"}),
        Sample(shard, "other/b", {"jpg": b"C", "cls": b"3"}),
    ]


def test_folders_in_a_shard_are_passed_over(shard):
    with tarfile.open(shard, "a") as archive:
        folder = tarfile.TarInfo("train")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    assert count_samples(shard) == 3


def test_what_is_not_wanted_keeps_its_place(shard):
    samples = list(read_shard(shard, KINDS, wanted=lambda number: number == 1))
    assert [sample and sample.key for sample in samples] == [None, "train/b", None]


def test_a_shard_without_samples_is_empty(tmp_path):
    assert count_samples(write_shard(tmp_path / "empty.tar", [])) == 0


def test_a_shard_cut_off_anywhere_is_refused(shard):
    whole = shard.read_bytes()
    end = whole.rindex(b"3") + 512 - whole.rindex(b"3") % 512
    for size in (0, 100, 512, 700, 1024, 1024 + 1024, end - 512, end):
        shard.write_bytes(whole[:size])
        with pytest.raises(DataError, match=r"s\.tar: no tar file, compressed, cut off or damaged"):
            list(read_shard(shard, KINDS))


def test_a_damaged_header_is_not_taken_for_the_end(shard):
    content = bytearray(shard.read_bytes())
    at = content.index(b"train/b")
    content[at : at + 100] = b"x" * 100
    shard.write_bytes(content)
    with pytest.raises(DataError, match=rf"\(no end mark at byte {at}\); make it anew"):
        count_samples(shard)


def test_a_compressed_shard_is_refused(shard):
    shard.write_bytes(gzip.compress(shard.read_bytes()))
    with pytest.raises(DataError, match="no tar file, compressed"):
        count_samples(shard)


def test_a_shard_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.tar: cannot be read: No such file"):
        count_samples(tmp_path / "gone.tar")
