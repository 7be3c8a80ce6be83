from itertools import islice

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gossip_trainer.data.sampler import SamplerState, ShardSampler, Share, shard_indices
from gossip_trainer.errors import DataError

quick = settings(max_examples=40, deadline=None)
shardings = st.sampled_from(["Partition", "Shared", "ByLabel"])
sizes = st.tuples(st.integers(1, 60), st.integers(1, 8)).filter(lambda pair: pair[0] >= pair[1])


def targets_of(count: int, classes: int = 10) -> torch.Tensor:
    return torch.arange(count) % classes


def sampler(count=50, batch_size=4, index=0, workers=4, sharding="Partition", seed=1, state=None):
    return ShardSampler(
        targets_of(count),
        batch_size,
        share=Share(index, workers),
        sharding=sharding,
        seed=seed,
        state=state,
    )


def draw(stream, batches):
    return [batch.tolist() for batch in islice(stream, batches)]


@quick
@given(sizes, st.sampled_from(["Partition", "ByLabel"]), st.integers(0, 99))
def test_shards_are_disjoint_cover_all_examples_and_differ_by_at_most_one(size, sharding, seed):
    count, workers = size
    shards = [
        shard_indices(targets_of(count), Share(index, workers), sharding, seed).tolist()
        for index in range(workers)
    ]
    assert sorted(index for shard in shards for index in shard) == list(range(count))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


def test_sharded_by_label_a_worker_sees_only_its_part_of_the_classes():
    targets = targets_of(1000, classes=10)
    seen = [
        set(targets[shard_indices(targets, Share(index, 5), "ByLabel", 1)].tolist())
        for index in range(5)
    ]
    assert seen == [{0, 1}, {2, 3}, {4, 5}, {6, 7}, {8, 9}]


def test_shared_every_worker_sees_all_examples_in_an_order_of_its_own():
    orders = [
        draw(sampler(sharding="Shared", batch_size=50, index=index), 1)[0] for index in (0, 1)
    ]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(50))
    assert orders[0] != orders[1]


@quick
@given(sizes, shardings, st.integers(1, 20), st.integers(0, 99), st.data())
def test_every_example_of_the_shard_comes_once_per_data_epoch(
    size, sharding, batch_size, seed, data
):
    count, workers = size
    index = data.draw(st.integers(0, workers - 1))
    stream = sampler(count, batch_size, index, workers, sharding, seed)
    shard = sorted(stream.shard.tolist())
    drawn = [i for batch in draw(stream, -(-3 * len(shard) // batch_size)) for i in batch]
    for epoch in range(3):
        assert sorted(drawn[epoch * len(shard) : (epoch + 1) * len(shard)]) == shard


def test_each_data_epoch_has_a_new_order():
    orders = draw(sampler(count=200, batch_size=50), 3)
    assert orders[0] != orders[1] != orders[2]


@quick
@given(sizes, shardings, st.integers(1, 70))
def test_batches_are_always_full_even_if_larger_than_the_shard(size, sharding, batch_size):
    count, workers = size
    for batch in islice(sampler(count, batch_size, 0, workers, sharding), 4):
        assert batch.shape == (batch_size,)
        assert batch.dtype == torch.int64


@quick
@given(sizes, shardings, st.integers(1, 20), st.integers(0, 12), st.integers(0, 99))
def test_a_resumed_stream_equals_one_that_was_never_interrupted(
    size, sharding, batch_size, before, seed
):
    count, workers = size
    whole = sampler(count, batch_size, 0, workers, sharding, seed)
    draw(whole, before)
    resumed = sampler(count, batch_size, 0, workers, sharding, seed, state=whole.state())
    assert draw(resumed, 6) == draw(whole, 6)


def test_the_position_counts_data_epochs_and_examples_in_them():
    stream = sampler(count=40, workers=4, batch_size=4)  # ten examples
    positions = [stream.state()]
    for _ in range(5):
        next(stream)
        positions.append(stream.state())
    assert [(state.epoch, state.offset) for state in positions] == [
        (0, 0), (0, 4), (0, 8), (1, 2), (1, 6), (2, 0),
    ]  # fmt: skip


def test_the_order_never_changes_between_versions():
    assert draw(sampler(), 2) == [[27, 20, 14, 33], [4, 42, 16, 15]]


def test_the_order_follows_from_the_seed_alone():
    torch.manual_seed(1)
    first = draw(sampler(seed=3), 30)
    torch.manual_seed(2)
    assert draw(sampler(seed=3), 30) == first
    assert draw(sampler(seed=4), 30) != first


def test_drawing_leaves_torchs_global_random_stream_alone():
    before = torch.get_rng_state()
    draw(sampler(), 30)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("sharding", ["Partition", "ByLabel"])
def test_more_workers_than_examples_are_refused_with_advice(sharding):
    empty = 3 if sharding == "Partition" else 0
    with pytest.raises(DataError, match="only 3 training examples; use fewer workers or sharding"):
        sampler(count=3, workers=4, index=empty, sharding=sharding)


@pytest.mark.parametrize(("index", "count"), [(-1, 4), (4, 4), (0, 0)])
def test_a_share_that_does_not_exist_is_refused(index, count):
    with pytest.raises(DataError, match=f"share {index} of {count} does not exist"):
        Share(index, count)


@pytest.mark.parametrize("state", [SamplerState(-1, 0), SamplerState(0, -1), SamplerState(0, 10)])
def test_a_position_outside_the_shard_is_refused(state):
    with pytest.raises(DataError, match="the shard has 10 examples"):
        sampler(count=40, workers=4, state=state)


def moving(share_of, state=None):
    return ShardSampler(
        targets_of(24), 4, share=share_of, sharding="Partition", seed=1, stream=7, state=state
    )


def test_a_share_that_moves_is_asked_for_at_every_data_epoch():
    asked = []

    def share_of(epoch):
        asked.append(epoch)
        return Share(0, epoch + 1)

    draw(moving(share_of), 6 + 3 + 2)
    assert asked == [0, 1, 2]


def test_the_parts_that_live_workers_take_cover_the_data_again_after_one_left():
    shares = [lambda epoch, index=index: Share(index, 3 - min(epoch, 1)) for index in range(2)]
    streams = [moving(share_of) for share_of in shares]
    for stream in streams:
        draw(stream, 2)
    second = [i for stream in streams for batch in draw(stream, 3) for i in batch]
    assert sorted(second) == list(range(24))


def test_an_epoch_that_is_resumed_ends_with_the_share_that_it_began_with():
    whole = moving(lambda epoch: Share(1, 2) if epoch == 0 else Share(0, 3))
    draw(whole, 1)
    resumed = moving(lambda _epoch: Share(0, 3), whole.state())
    assert draw(resumed, 8) == draw(whole, 8)
