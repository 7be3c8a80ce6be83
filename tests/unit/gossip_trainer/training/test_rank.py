import json
from itertools import islice

import pytest
import torch

from gossip_api.job import JobSpec
from gossip_trainer.data.dataset import Batch, InMemoryDataset
from gossip_trainer.training.rank import batches_of


@pytest.fixture
def dataset():
    examples = Batch(torch.arange(40.0).unsqueeze(1), torch.arange(40) % 4)
    return InMemoryDataset(examples, examples, num_classes=4)


def spec(replicas):
    return JobSpec.model_validate(
        {
            "strategy": {"type": "Gossip"},
            "workers": {"replicas": replicas},
            "training": {
                "model": {"name": "mlp"},
                "data": {"name": "digits"},
                "batchSize": 5,
                "optimizer": {"name": "sgd", "learningRate": 0.1},
                "budget": {"epochs": 1},
            },
        }
    )


def drawn(stream, count):
    return torch.cat([batch.inputs.flatten() for batch in islice(stream, count)]).tolist()


def test_the_ranks_of_a_job_share_the_data_out(dataset):
    parts = [set(drawn(batches_of(spec(4), rank, dataset), 2)) for rank in range(4)]
    assert sorted(index for part in parts for index in part) == list(range(40))


@pytest.mark.parametrize("rank", [4, 7, 50])
def test_a_rank_beyond_the_jobs_draws_from_the_share_of_another_in_an_order_of_its_own(
    dataset, rank
):
    own = drawn(batches_of(spec(4), rank, dataset), 2)
    other = drawn(batches_of(spec(4), rank % 4, dataset), 2)
    assert set(own) == set(other)
    assert own != other


def test_a_share_is_never_empty_because_a_job_was_scaled_up(dataset):
    assert len(set(drawn(batches_of(spec(4), 1000, dataset), 2))) == 10


def test_a_stream_goes_on_where_another_was(dataset):
    whole = batches_of(spec(4), 1, dataset)
    drawn(whole, 3)
    resumed = batches_of(spec(4), 1, dataset, json.loads(json.dumps(whole.state())))
    assert drawn(resumed, 5) == drawn(whole, 5)
