import random
from statistics import mean

import pytest

from gossip_trainer.data.sampler import Share
from gossip_trainer.data.shards.order import shards_of, shuffled
from gossip_trainer.errors import DataError

SHARDS = ["a", "b", "c", "d", "e"]


def order(count, buffer_size, seed=1):
    return list(shuffled(range(count), buffer_size, random.Random(seed)))


def test_every_worker_has_every_nth_shard_and_all_have_all_of_them():
    assert [shards_of(SHARDS, Share(index, 2), "Partition") for index in (0, 1)] == [
        ["a", "c", "e"],
        ["b", "d"],
    ]
    assert shards_of(SHARDS, Share(1, 2), "Shared") == SHARDS


def test_fewer_shards_than_workers_are_refused_unless_they_are_shared():
    with pytest.raises(DataError, match="5 shards cannot be divided among 6 workers; write more"):
        shards_of(SHARDS, Share(0, 6), "Partition")
    assert shards_of(SHARDS, Share(5, 6), "Shared") == SHARDS
    assert shards_of(SHARDS, Share(4, 5), "Partition") == ["e"]


@pytest.mark.parametrize("count", [0, 1, 5, 6, 100])
@pytest.mark.parametrize("buffer_size", [1, 5, 1000])
def test_every_sample_leaves_the_buffer_once(count, buffer_size):
    assert sorted(order(count, buffer_size)) == list(range(count))


def test_a_buffer_of_one_keeps_the_order_and_a_large_one_mixes_all_that_fits():
    assert order(50, 1) == list(range(50))
    far = [abs(place - number) for place, number in enumerate(order(2000, 500))]
    assert mean(far) > 200


def test_the_order_is_the_seeds():
    assert order(100, 10) == order(100, 10)
    assert order(100, 10) != order(100, 10, seed=2)


def test_the_buffer_reads_no_further_ahead_than_it_is_large():
    read = []
    drawn = shuffled((read.append(n) or n for n in range(100)), 10, random.Random(1))
    next(drawn)
    assert len(read) == 11
    next(drawn)
    assert len(read) == 12
