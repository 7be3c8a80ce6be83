import logging
import threading
from contextlib import closing
from types import SimpleNamespace

import pytest
import torch

from gossip_trainer.process.shard_keeper import ShardKeeper, find_kept, keep

JOB = "uid-1"


def vector(value=1.0, size=8):
    return torch.full((size,), value)


@pytest.fixture
def path(tmp_path):
    return tmp_path / ".server-0-0.part.safetensors"


def find(path, job=JOB, size=8, dtype=torch.float32):
    return find_kept(path, job, size, dtype)


def test_a_part_comes_back_as_it_was_kept(path):
    keep(path, JOB, vector(0.1), version=7, at=1234.5)
    found = find(path)
    assert torch.equal(found.vector, vector(0.1))
    assert (found.version, found.at) == (7, 1234.5)


def test_a_slice_of_a_larger_vector_is_kept_alone(path):
    keep(path, JOB, torch.arange(32.0)[8:16], version=1, at=0.0)
    assert torch.equal(find(path).vector, torch.arange(8.0, 16.0))


def test_where_nothing_was_kept_there_is_none(path, caplog):
    assert find(path) is None
    assert not caplog.records


@pytest.mark.parametrize("wish", [{"job": "uid-2"}, {"size": 9}, {"dtype": torch.float64}], ids=str)
def test_the_part_of_another_job_or_shape_is_not_taken(path, wish):
    keep(path, JOB, vector(), version=1, at=0.0)
    assert find(path, **wish) is None


def test_one_changed_bit_is_noticed(path, caplog):
    keep(path, JOB, vector(), version=1, at=0.0)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert find(path) is None
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


@pytest.mark.parametrize("length", [0, 7, 100])
def test_half_a_file_is_no_part(path, length):
    keep(path, JOB, vector(), version=1, at=0.0)
    path.write_bytes(path.read_bytes()[:length])
    assert find(path) is None


class Source:
    """A part with a version that tests raise; counts what is pinned."""

    def __init__(self):
        self.version, self.num_pins, self.num_releases = 0, 0, 0
        self.looked = threading.Semaphore(0)

    def pin(self):
        self.num_pins += 1
        return SimpleNamespace(
            header=SimpleNamespace(step=self.version),
            vector=vector(float(self.version)),
            release=self.release,
        )

    def release(self):
        self.num_releases += 1
        self.looked.release()

    def wait(self):
        for _ in range(2):  # the first may have begun before
            assert self.looked.acquire(timeout=10)


def test_a_part_is_kept_when_it_has_changed_and_only_then(path):
    source = Source()
    with closing(ShardKeeper(path, JOB, source.pin, every=0.002, wall_clock=lambda: 50.0)):
        source.wait()
        assert not path.exists()  # the seed's part needs no keeping
        source.version = 3
        source.wait()
        first = path.stat().st_ino
        source.wait()
        assert path.stat().st_ino == first
        source.version = 4
        source.wait()
    assert (find(path).version, find(path).at) == (4, 50.0)
    assert source.num_pins == source.num_releases


def test_a_disk_that_is_full_costs_a_log_line_and_not_the_server(tmp_path, caplog):
    source = Source()
    source.version = 1
    path = tmp_path / "missing" / "part"
    with closing(ShardKeeper(path, JOB, source.pin, every=0.002)) as keeper:
        source.wait()
        assert keeper._thread.is_alive()
    assert "cannot be kept" in caplog.text
