import math

import pytest
import torch

from gossip_trainer.evaluation.mean import BLOCK, RunningMean


def mean_of(*vectors):
    mean = RunningMean(vectors[0].numel())
    for vector in vectors:
        mean.add(vector)
    return mean


def written(mean, size):
    out = torch.empty(size, dtype=torch.float64)
    mean.write_to_(out)
    return out


@pytest.mark.parametrize("size", [1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 3])
def test_mean_and_distance_are_those_of_the_whole_vectors_whatever_the_size(size):
    generator = torch.Generator().manual_seed(size)
    vectors = torch.randn(5, size, generator=generator)
    mean, exact = mean_of(*vectors), vectors.double()
    centre = exact.mean(dim=0)
    distance = (exact - centre).square().sum(dim=1).mean().sqrt()
    torch.testing.assert_close(written(mean, size), centre, rtol=0, atol=1e-14)
    assert mean.consensus_distance == pytest.approx(float(distance), rel=1e-12)
    assert mean.norm == pytest.approx(float(centre.norm()), rel=1e-12)
    assert mean.count == 5


def test_equal_vectors_are_at_distance_zero_exactly_and_their_mean_is_themselves():
    vector = torch.randn(1000, generator=torch.Generator().manual_seed(1))
    mean = mean_of(*[vector] * 7)
    out = torch.empty(1000)
    mean.write_to_(out)
    assert mean.consensus_distance == 0.0
    assert torch.equal(out, vector)


def test_tiny_differences_of_large_vectors_are_not_cancelled():
    base, tiny = torch.full((1000,), 1e6, dtype=torch.float64), 2.0**-16
    mean = mean_of(base + tiny, base - tiny, base + tiny, base - tiny)
    assert mean.consensus_distance == pytest.approx(tiny * math.sqrt(1000), rel=1e-9)


def test_the_distance_of_two_vectors_is_half_of_what_is_between_them():
    mean = mean_of(torch.tensor([0.0, 0.0]), torch.tensor([6.0, 8.0]))
    assert mean.consensus_distance == 5.0
    assert mean.norm == 5.0


def test_one_vector_is_its_own_mean_and_none_has_distance_zero():
    assert mean_of(torch.ones(4)).consensus_distance == 0.0
    assert RunningMean(4).consensus_distance == 0.0


def test_weights_are_how_often_a_vector_counts():
    vectors = torch.randn(3, 50, generator=torch.Generator().manual_seed(2))
    often, weighted = mean_of(*[vectors[i] for i in (0, 1, 1, 1, 2, 2)]), RunningMean(50)
    for vector, weight in zip(vectors, (1.0, 3.0, 2.0), strict=True):
        weighted.add(vector, weight)
    torch.testing.assert_close(written(weighted, 50), written(often, 50), rtol=0, atol=1e-14)
    assert weighted.consensus_distance == pytest.approx(often.consensus_distance, rel=1e-12)
    assert weighted.count == 3


def test_after_clear_the_vectors_before_are_forgotten():
    mean = mean_of(torch.full((3,), 100.0), torch.full((3,), -100.0))
    mean.add(torch.ones(3), 7.0)
    mean.clear()
    mean.add(torch.ones(3))
    assert (mean.count, mean.consensus_distance) == (1, 0.0)
    assert torch.equal(written(mean, 3), torch.ones(3, dtype=torch.float64))


def test_vectors_are_left_as_they_are():
    vector = torch.arange(5, dtype=torch.float64)
    mean_of(vector, 2 * vector)
    assert torch.equal(vector, torch.arange(5, dtype=torch.float64))


def test_a_diverged_model_makes_the_distance_not_finite():
    mean = mean_of(torch.ones(3), torch.tensor([1.0, math.nan, 1.0]))
    assert math.isnan(mean.consensus_distance)
