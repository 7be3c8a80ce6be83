"""What follows from the job for one rank, alike in a process, in virtual time and in a replay."""

import random

from gossip_api.job import JobSpec
from gossip_trainer.algorithms.base import Algorithm
from gossip_trainer.algorithms.effects import Rank
from gossip_trainer.algorithms.registry import build_algorithm
from gossip_trainer.algorithms.view import View
from gossip_trainer.data.dataset import Dataset
from gossip_trainer.data.sampler import ShardSampler, Share
from gossip_trainer.replica.layout import Layout
from gossip_trainer.seeding import derive_seed


def algorithm_of(
    spec: JobSpec, rank: int, incarnation: int, *, view: View, layout: Layout
) -> Algorithm:
    """Return a worker's fresh algorithm, with the stream of random numbers that is its own."""
    stream = random.Random(  # noqa: S311 - choosing peers needs a reproducible stream
        derive_seed(spec.training.seed, "peers", rank, incarnation)
    )
    return build_algorithm(
        spec,
        Rank(rank),
        view,
        stream,
        size=layout.size,
        num_parameters=layout.num_parameters,
    )


def batches_of(spec: JobSpec, rank: int, dataset: Dataset) -> ShardSampler:
    """Return a worker's endless stream of batches.

    A rank beyond the job's, of which there are some after the job was scaled, walks through the
    share of another rank in an order of its own.
    """
    training, replicas = spec.training, spec.workers.replicas
    return ShardSampler(
        dataset.train_targets,
        batch_size=training.batch_size,
        share=Share(rank % replicas, replicas),
        sharding=training.data.sharding,
        seed=training.seed,
        stream=rank,
    )
