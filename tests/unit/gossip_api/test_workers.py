"""How many workers."""

import pytest
from pydantic import ValidationError

from gossip_api.workers import Workers


def test_one_worker_by_default():
    assert (Workers().replicas, Workers().min_replicas) == (1, 1)


def test_more_needed_than_there_are_is_refused():
    with pytest.raises(ValidationError, match="minReplicas: must not be larger than replicas"):
        Workers(replicas=2, min_replicas=3)


@pytest.mark.parametrize("counts", [{"replicas": 0}, {"minReplicas": 0}])
def test_at_least_one(counts):
    with pytest.raises(ValidationError):
        Workers.model_validate(counts)
