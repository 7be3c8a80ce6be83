from itertools import pairwise

import torch

from gossip_api.compression import Compression
from gossip_trainer.compression.codec import codec_of
from gossip_trainer.compression.differences import Differences


def randn(seed=1):
    return torch.randn(1000, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def ends():
    codec = codec_of(Compression(type="Int8"), 1)
    return Differences(codec), Differences(codec)


def tell(one, other, point):
    said = one.of(point)
    one.take_in(said, point)
    return other.take_in(said, point)


def test_both_ends_know_the_same():
    one, other = ends()
    for seed in range(5):
        assert torch.equal(tell(one, other, randn(seed)), one.known)
    assert one.number == other.number == 5


def test_what_one_difference_leaves_out_the_next_contains():
    one, other = ends()
    point = randn()
    errors = [float((tell(one, other, point) - point).abs().max()) for _ in range(5)]
    assert errors[0] < float(point.abs().max()) / 250
    assert all(after < before / 100 for before, after in pairwise(errors))
    assert errors[-1] < 1e-9


def test_a_point_that_moves_is_known_as_well_as_it_moves_little():
    one, other = ends()
    point = randn()
    for _ in range(4):
        tell(one, other, point)
    point = point + 1e-3 * randn(2)
    assert (tell(one, other, point) - point).abs().max() < 1e-3 * 4 / 250


def test_nothing_is_known_before_the_other_end_has_it():
    one, _ = ends()
    point = randn()
    said = one.of(point)
    assert one.known is None
    assert torch.equal(one.of(point), said)


def test_who_forgets_begins_again_from_nothing():
    one, other = ends()
    tell(one, other, randn())
    for end in (one, other):
        end.forget()
        assert (end.known, end.number) == (None, 0)
    assert torch.equal(tell(one, other, randn(2)), ends_after_one(randn(2)))


def ends_after_one(point):
    return tell(*ends(), point)
