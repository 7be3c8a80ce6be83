from collections import Counter

import pytest
import torch
from scipy.stats import chisquare

from gossip_api.compression import Compression
from gossip_trainer.compression.excerpt import Excerpt, Reading
from gossip_trainer.replica.memory import memory_of

SIZE = 100


def snapshot(dtype=torch.float32):
    return torch.randn(SIZE, generator=torch.Generator().manual_seed(1)).to(dtype)


EXCERPTS = [Excerpt(0, SIZE), Excerpt(10, 11), Excerpt(75, SIZE), Excerpt(0, SIZE, 7)]


def test_a_range_is_read_as_it_is():
    assert torch.equal(Excerpt(20, 30).of(snapshot()), snapshot()[20:30])


def test_what_is_rounded_has_half_the_bytes_and_nearly_the_values():
    excerpt = Excerpt(20, 40, seed=3)
    read = excerpt.of(snapshot())
    assert read.nbytes == 20 * 2
    assert (excerpt.values(read, torch.float32) - snapshot()[20:40]).abs().max() < 2**-6


@pytest.mark.parametrize("excerpt", [*EXCERPTS, Excerpt(3, 50, 2)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_peer_gives_the_bytes_that_the_reader_would_get_for_itself(excerpt, dtype):
    vector = snapshot(dtype)
    given = excerpt.of_bytes(memory_of(vector).toreadonly(), dtype.itemsize)
    room = excerpt.room(torch.zeros(SIZE, dtype=dtype))
    assert given.nbytes == room.nbytes
    memory_of(room)[:] = given
    assert torch.equal(room, excerpt.of(vector))
    assert torch.equal(room, excerpt.rounded(vector[excerpt.start : excerpt.stop]))


@pytest.mark.parametrize(("start", "stop"), [(-1, 5), (5, 5), (6, 5), (90, SIZE + 1), (200, 300)])
@pytest.mark.parametrize("seed", [None, 1])
def test_a_range_that_does_not_lie_in_the_snapshot_is_refused(start, stop, seed):
    text = f"values {start} to {stop} of a snapshot of {SIZE}"
    with pytest.raises(ValueError, match=text):
        Excerpt(start, stop, seed).of(snapshot())
    with pytest.raises(ValueError, match=text):
        Excerpt(start, stop, seed).of_bytes(memory_of(snapshot()), 4)


def test_without_compression_all_is_read():
    assert Reading(None, 1).excerpt(SIZE, 0) is None


def test_bfloat16_reads_all_with_other_noise_every_round():
    reading = Reading(Compression(type="BFloat16"), 1)
    first, second = (reading.excerpt(SIZE, round_) for round_ in (0, 1))
    assert (first.start, first.stop) == (second.start, second.stop) == (0, SIZE)
    assert first.seed != second.seed
    assert Reading(Compression(type="BFloat16"), 1).excerpt(SIZE, 0) == first
    assert Reading(Compression(type="BFloat16"), 2).excerpt(SIZE, 0) != first


@pytest.mark.parametrize("fragments", [2, 3, 7])
def test_the_fragments_are_nearly_equal_and_together_the_whole(fragments):
    reading = Reading(Compression(type="Partial", fragments=fragments), 1)
    found = sorted({(e.start, e.stop) for e in (reading.excerpt(SIZE, r) for r in range(200))})
    assert len(found) == fragments
    assert [start for start, _ in found] == [0, *(stop for _, stop in found[:-1])]
    assert found[-1][1] == SIZE
    assert {stop - start for start, stop in found} <= {SIZE // fragments, -(-SIZE // fragments)}


def test_every_fragment_is_equally_likely():
    reading = Reading(Compression(type="Partial", fragments=5), 1)
    counts = Counter(reading.excerpt(SIZE, round_).start for round_ in range(5000))
    assert len(counts) == 5
    assert chisquare(list(counts.values())).pvalue > 1e-3


def test_a_model_of_fewer_values_than_fragments_is_cut_into_single_values():
    reading = Reading(Compression(type="Partial", fragments=1024), 1)
    sizes = {(e.stop - e.start) for e in (reading.excerpt(16, r) for r in range(100))}
    assert sizes == {1}
