from itertools import pairwise

import pytest

from gossip_trainer.algorithms.effects import Shard
from gossip_trainer.algorithms.shards import ALIGNMENT, shard_slices

SIZES = [0, 1, ALIGNMENT - 1, ALIGNMENT, 5 * ALIGNMENT + 3, 10_007]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("num_shards", [1, 2, 3, 64])
def test_parts_follow_each_other_and_make_up_the_whole(size, num_shards):
    parts = shard_slices(size, num_shards)
    assert list(parts) == [Shard(index) for index in range(num_shards)]
    bounds = [(part.start, part.stop) for part in parts.values()]
    assert bounds[0][0] == 0
    assert bounds[-1][1] == size
    assert all(stop == start for (_, stop), (start, _) in pairwise(bounds))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("num_shards", [2, 3, 64])
def test_parts_begin_aligned_or_are_empty_and_differ_by_no_more_than_a_block(size, num_shards):
    parts = shard_slices(size, num_shards).values()
    assert all(part.start % ALIGNMENT == 0 or part.start == size for part in parts)
    lengths = [part.stop - part.start for part in parts]
    assert max(lengths) - min(lengths) <= ALIGNMENT + size % ALIGNMENT


def test_one_server_holds_everything():
    assert shard_slices(100, 1) == {Shard(0): slice(0, 100)}
