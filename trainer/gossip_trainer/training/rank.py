"""What follows from the job for one rank, alike in a process, in virtual time and in a replay."""

import random
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from gossip_api.job import JobSpec
from gossip_trainer.algorithms.base import Algorithm
from gossip_trainer.algorithms.effects import Rank
from gossip_trainer.algorithms.registry import build_algorithm
from gossip_trainer.algorithms.view import View
from gossip_trainer.data.dataset import Dataset
from gossip_trainer.data.sampler import Share
from gossip_trainer.data.stream import BatchStream, StreamPlan
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


def batches_of(
    spec: JobSpec,
    rank: int,
    dataset: Dataset,
    state: Mapping[str, Any] | None = None,
    *,
    num_processes: int | None = None,
    live_ranks: Callable[[], Collection[int]] | None = None,
) -> BatchStream:
    """Return a worker's endless stream of batches, from `state` on.

    A rank beyond the job's, of which there are some after the job was scaled, begins with the
    share of another rank, in an order of its own.

    Args:
        spec: the job's.
        rank: the worker's.
        dataset: the data.
        state: where to go on.
        num_processes: how many decode beside this one; None: as many as the job says, or as suit
            the data.
        live_ranks: who trains, asked when a new data epoch begins: the data is divided among them
            from then on. Without it every epoch has the shares of the first.

    """
    training, replicas = spec.training, spec.workers.replicas
    plan = StreamPlan(
        batch_size=training.batch_size,
        share=Share(rank % replicas, replicas),
        sharding=training.data.sharding,
        seed=training.seed,
        stream=rank,
        num_processes=num_processes,
        share_of=None if live_ranks is None else partial(share_among, rank, replicas, live_ranks),
    )
    return dataset.stream(plan, state)


def share_among(
    rank: int, replicas: int, live_ranks: Callable[[], Collection[int]], epoch: int
) -> Share:
    """Return a rank's share of the data in a data epoch: its place among the sorted live ranks.

    In the first it is its place among all of the job: not everybody may be there yet.
    """
    if epoch == 0:
        return Share(rank % replicas, replicas)
    live = sorted({rank, *live_ranks()})
    return Share(live.index(rank), len(live))
