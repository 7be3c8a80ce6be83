"""How many workers."""

import pytest
from pydantic import ValidationError

from gossip_api.workers import Workers


def test_one_worker_by_default():
    assert (Workers().replicas, Workers().min_replicas) == (1, 1)


def test_more_needed_than_there_are_is_refused():
    with pytest.raises(ValidationError, match="minReplicas: must not be larger than replicas"):
        Workers(replicas=2, min_replicas=3)


def test_no_more_than_the_largest_number():
    assert Workers(replicas=3, max_replicas=3).max_replicas == 3
    with pytest.raises(ValidationError, match="maxReplicas: must not be smaller than replicas"):
        Workers(replicas=4, max_replicas=3)


def test_a_rank_has_at_most_five_digits():
    assert Workers(replicas=100_000)
    with pytest.raises(ValidationError, match="replicas"):
        Workers(replicas=100_001)


@pytest.mark.parametrize("counts", [{"replicas": 0}, {"minReplicas": 0}, {"maxReplicas": 0}])
def test_at_least_one(counts):
    with pytest.raises(ValidationError):
        Workers.model_validate(counts)


def test_who_asks_for_two_gets_two():
    assert Workers(replicas=8, min_replicas=4).resized(2) == {"replicas": 2, "minReplicas": 2}


def test_who_asks_for_more_than_the_largest_number_gets_them_too():
    assert Workers(replicas=8, max_replicas=16).resized(64) == {"replicas": 64, "maxReplicas": 64}


def test_limits_that_allow_what_is_asked_for_stay_as_they_are():
    assert Workers(replicas=8, min_replicas=4, max_replicas=16).resized(4) == {"replicas": 4}
