"""From the job to the algorithms that carry it out."""

from collections.abc import Callable
from random import Random

from torch import Tensor

from gossip_api.job import JobSpec
from gossip_api.strategy import (
    ElasticAveragingSettings,
    GossipSettings,
    LocalSGDSettings,
    ParameterServerSettings,
)
from gossip_trainer.algorithms.all_reduce import AllReduce
from gossip_trainer.algorithms.base import Algorithm, ServerAlgorithm
from gossip_trainer.algorithms.effects import Rank, Shard
from gossip_trainer.algorithms.elastic_averaging import ElasticAveraging, ElasticServer
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.algorithms.local_sgd import LocalSGD
from gossip_trainer.algorithms.noloco import NoLoCo
from gossip_trainer.algorithms.pairwise import Pairwise
from gossip_trainer.algorithms.parameter_server import ParameterServer, ParameterServerShard
from gossip_trainer.algorithms.pull_gossip import PullGossip
from gossip_trainer.algorithms.push_gossip import PushGossip
from gossip_trainer.algorithms.push_sum import PushSum
from gossip_trainer.algorithms.selection import PeerSelection
from gossip_trainer.algorithms.shards import shard_slices
from gossip_trainer.algorithms.view import View


def build_algorithm(
    spec: JobSpec, rank: Rank, view: View, stream: Random, *, size: int, num_parameters: int
) -> Algorithm:
    """Return a fresh algorithm for one worker.

    Args:
        spec: of the job.
        rank: the worker's.
        view: the live workers.
        stream: the worker's own random stream.
        size: of the job's vector.
        num_parameters: how much of that is parameters; float buffers are behind them.

    """
    match spec.strategy.settings:
        case GossipSettings() as settings:
            return _gossip(settings, rank, view, stream, seed=spec.training.seed)
        case ElasticAveragingSettings() as settings:
            shards = shard_slices(size, spec.num_shards)
            return ElasticAveraging(
                rank, view, shards, period=settings.period, overlap=settings.overlap
            )
        case ParameterServerSettings() as settings:
            shards = shard_slices(size, spec.num_shards)
            return ParameterServer(rank, view, shards, num_parameters, overlap=settings.overlap)
        case LocalSGDSettings() as settings:
            return _local_sgd(settings, rank, view, num_parameters, seed=spec.training.seed)
        case _:
            return AllReduce(rank, view)


def build_server(
    spec: JobSpec,
    shard: Shard,
    centre: Tensor,
    *,
    size: int,
    num_parameters: int,
    update: Callable[[Tensor], None],
    centre_iterate: Callable[[], Iterate],
    view: View,
) -> ServerAlgorithm:
    """Return a fresh algorithm for one server.

    Args:
        spec: of the job.
        shard: which server.
        centre: its part of the job's vector at the start, shape (n,); changed in place.
        size: of the job's vector.
        num_parameters: how much of that is parameters; float buffers are behind them.
        update: takes an optimizer step on the part's parameters with their gradient.
        centre_iterate: gives x of `centre` as `update` left it.
        view: the live workers.

    """
    settings = spec.strategy.settings
    if isinstance(settings, ElasticAveragingSettings):
        return ElasticServer(centre, moving_rate(settings, spec.workers.replicas))
    assert isinstance(settings, ParameterServerSettings), "no other strategy has servers"
    part = shard_slices(size, spec.num_shards)[shard]
    return ParameterServerShard(
        centre,
        max(0, min(part.stop, num_parameters) - part.start),
        update,
        iterate=centre_iterate,
        share=1.0 / spec.workers.replicas,
        max_staleness=settings.max_staleness,
        view=view,
    )


def moving_rate(settings: ElasticAveragingSettings, num_workers: int) -> float:
    """Return the moving rate, the one of the paper's authors where it is left out."""
    return 0.8 / num_workers if settings.moving_rate is None else settings.moving_rate


def _gossip(
    settings: GossipSettings, rank: Rank, view: View, stream: Random, *, seed: int
) -> Algorithm:
    selection = PeerSelection(settings.topology, settings.chosen_selection, seed)
    period, overlap = settings.period, settings.overlap
    if settings.exchange == "Push":
        return PushGossip(rank, view, selection, stream, period=period, overlap=overlap)
    if settings.exchange == "PushSum":
        return PushSum(rank, view, selection, stream, period=period, overlap=overlap)
    mixing = PullGossip if settings.exchange == "Pull" else Pairwise
    return mixing(
        rank,
        view,
        selection,
        stream,
        period=period,
        mixing_weight=settings.mixing_weight,
        overlap=overlap,
    )


def _local_sgd(
    settings: LocalSGDSettings, rank: Rank, view: View, num_parameters: int, *, seed: int
) -> Algorithm:
    outer = settings.outer
    if settings.averaging == "Gossip":
        return NoLoCo(
            rank,
            view,
            num_parameters,
            period=settings.period,
            learning_rate=outer.learning_rate,
            momentum=settings.outer_momentum,
            deadline=settings.partner_deadline,
            seed=seed,
        )
    return LocalSGD(
        rank,
        view,
        num_parameters,
        period=settings.period,
        learning_rate=outer.learning_rate,
        momentum=settings.outer_momentum,
        nesterov=outer.optimizer != "HeavyBall",
    )
