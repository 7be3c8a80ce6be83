import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tar_shards import write_shard

from gossip_trainer.data.sampler import Share
from gossip_trainer.data.shards.passes import ShardPasses
from gossip_trainer.data.stream import StreamPlan
from gossip_trainer.errors import DataError

ALONE = Share(0, 1)
SIZES = (3, 5, 1, 0, 4)  # samples in each shard


def write_shards(folder, sizes=SIZES):
    return [
        write_shard(folder / f"{shard}.tar", [(f"{shard}-{n}", {"cls": b"0"}) for n in range(size)])
        for shard, size in enumerate(sizes)
    ]


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return write_shards(tmp_path_factory.mktemp("shards"))


def passes(shards, share=ALONE, *, position=None, buffer_size=4, **changes):
    settings = {"batch_size": 1, "sharding": "Partition", "seed": 1, "stream": share.index}
    plan = StreamPlan(share=share, **settings | changes)
    return ShardPasses(shards, plan, kinds=["cls"], buffer_size=buffer_size, position=position)


def keys(drawn_from, count):
    return [sample.key for _, sample in (drawn_from.draw() for _ in range(count))]


def all_keys(shards):
    return sorted(f"{shard}-{n}" for shard in shards for n in range(SIZES[shard]))


def test_an_epoch_draws_every_sample_once_and_the_next_in_another_order(shards):
    drawn = passes(shards)
    first, second = keys(drawn, 13), keys(drawn, 13)
    assert sorted(first) == sorted(second) == all_keys(range(5))
    assert first != second


def test_the_draw_tells_its_epoch(shards):
    drawn = passes(shards)
    assert [drawn.draw()[0] for _ in range(27)] == [0] * 13 + [1] * 13 + [2]


def test_workers_have_shards_of_their_own(shards):
    assert sorted(keys(passes(shards, Share(0, 2)), 8)) == all_keys([0, 2, 4])
    assert sorted(keys(passes(shards, Share(1, 2)), 5)) == all_keys([1, 3])


def test_workers_that_share_all_shards_go_through_them_in_orders_of_their_own(shards):
    orders = [keys(passes(shards, Share(i, 2), sharding="Shared"), 13) for i in (0, 1)]
    assert sorted(orders[0]) == sorted(orders[1]) == all_keys(range(5))
    assert orders[0] != orders[1]


def test_shards_are_read_one_after_the_other_in_an_order_of_the_epochs(shards):
    drawn = passes(shards, buffer_size=1)
    epochs = [[key.split("-")[0] for key in keys(drawn, 13)] for _ in range(4)]
    for order in epochs:
        assert len({*order}) == 4
        assert sum(a != b for a, b in pairwise(order)) == 3
    assert len({tuple(order) for order in epochs}) > 1


@given(
    before=st.integers(0, 30),
    after=st.integers(1, 20),
    share=st.sampled_from([Share(0, 1), Share(0, 2), Share(1, 2), Share(2, 3)]),
    buffer_size=st.sampled_from([1, 2, 4, 100]),
    seed=st.integers(0, 3),
)
def test_what_goes_on_draws_what_one_draws_that_was_never_interrupted(
    shards, before, after, share, buffer_size, seed
):
    whole = passes(shards, share, buffer_size=buffer_size, seed=seed)
    for _ in range(before):
        whole.draw()
    position = json.loads(json.dumps(whole.position()))
    resumed = passes(shards, share, buffer_size=buffer_size, seed=seed, position=position)
    assert [resumed.draw() for _ in range(after)] == [whole.draw() for _ in range(after)]
    assert resumed.position() == whole.position()


def test_an_epoch_ends_with_the_share_it_began_with(shards):
    shares = {0: Share(0, 2), 1: Share(1, 2)}
    drawn = passes(shards, share_of=shares.get)
    keys(drawn, 3)
    position = drawn.position()
    assert position == {"epoch": 0, "offset": 3, "share": [0, 2]}
    rest = keys(drawn, 10)
    later = {0: Share(0, 1), 1: Share(1, 2)}
    assert keys(passes(shards, share_of=later.get, position=position), 10) == rest
    assert sorted(rest[5:]) == all_keys([1, 3])


def test_a_position_beyond_the_shards_is_refused(shards):
    position = {"epoch": 2, "offset": 14, "share": [0, 1]}
    with pytest.raises(DataError, match=r"sample 14 of data epoch 2: the shards have 13 samples"):
        passes(shards, position=position)


def test_a_share_whose_shards_are_empty_is_refused_at_the_first_draw(tmp_path):
    drawn = passes(write_shards(tmp_path, (2, 0)), Share(1, 2))
    with pytest.raises(
        DataError, match=r"share 1 of 2 has no sample: .* first of them is .*1\.tar"
    ):
        drawn.draw()


def test_fewer_shards_than_workers_are_refused(shards):
    with pytest.raises(DataError, match="5 shards cannot be divided among 6 workers"):
        passes(shards, Share(0, 6))
