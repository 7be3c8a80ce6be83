import math

import pytest
import torch

from gossip_trainer.simulation.stationarity import Stationarity


def noted(*models, distances=None, fractions=None, num_coordinates=2):
    stationarity = Stationarity(len(models[0]), num_coordinates)
    count = len(models)
    for fraction, model, distance in zip(
        fractions or [1.0] * count, models, distances or [0.0] * count, strict=True
    ):
        stationarity.note(fraction, torch.tensor(model), distance)
    return stationarity.result()


def test_only_the_second_half_of_the_budget_counts():
    found = noted([9.0, 9.0], [1.0, 1.0], [3.0, 1.0], fractions=[0.499, 0.5, 1.0])
    assert found.evaluations == 2
    assert found.mean_variance == pytest.approx(0.5)


def test_the_models_variance_is_around_their_mean_over_time_and_a_mean_over_coordinates():
    models = torch.randn(50, 6, generator=torch.Generator().manual_seed(1)).double()
    found = noted(*models.tolist(), num_coordinates=6)
    expected = models.var(dim=0, correction=0).mean()
    assert found.mean_variance == pytest.approx(float(expected), rel=1e-6)


def test_gaps_between_tensors_are_no_coordinates():
    found = noted([0.0, 4.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], num_coordinates=2)
    assert found.mean_variance == pytest.approx(4.0 / 2)


def test_the_distance_is_a_root_mean_square_over_time():
    found = noted([0.0, 0.0], [0.0, 0.0], distances=[1.0, 7.0], num_coordinates=5)
    assert found.consensus_distance == pytest.approx(5.0)
    assert found.squared_distance_per_coordinate == pytest.approx(25.0 / 5)


def test_a_job_that_ended_before_has_nothing_to_say():
    found = noted([1.0, 1.0], fractions=[0.25])
    assert found.evaluations == 0
    assert found.mean_variance is None
    assert found.consensus_distance is None
    assert found.squared_distance_per_coordinate is None


def test_what_is_not_finite_is_not_said():
    found = noted([math.nan, 1.0], [1.0, 1.0], distances=[math.inf, 1.0])
    assert found.evaluations == 2
    assert found.mean_variance is None
    assert found.consensus_distance is None
    assert found.squared_distance_per_coordinate is None
