"""From the job to the algorithms that carry it out."""

from collections.abc import Callable
from random import Random
from typing import TypedDict

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
from gossip_trainer.compression.codec import codec_of, is_int8
from gossip_trainer.compression.excerpt import Reading
from gossip_trainer.seeding import derive_seed


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
            return _gossip(settings, rank, view, stream, spec=spec)
        case ElasticAveragingSettings() as settings:
            shards = shard_slices(size, spec.num_shards)
            return ElasticAveraging(
                rank,
                view,
                shards,
                period=settings.period,
                overlap=settings.overlap,
                codec=codec_of(settings.compression, _rounding(spec, f"worker-{rank}")),
                by_differences=is_int8(settings.compression),
            )
        case ParameterServerSettings() as settings:
            shards = shard_slices(size, spec.num_shards)
            return ParameterServer(rank, view, shards, num_parameters, overlap=settings.overlap)
        case LocalSGDSettings() as settings:
            return _local_sgd(settings, rank, view, num_parameters, spec=spec)
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
        rate = moving_rate(settings, spec.workers.replicas)
        codec = codec_of(settings.compression, _rounding(spec, f"server-{shard.index}"))
        return ElasticServer(centre, rate, codec)
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


class _Common(TypedDict):
    period: int
    overlap: bool


def _rounding(spec: JobSpec, who: str) -> int:
    """Return the seed of one party's rounding and of what it reads."""
    return derive_seed(spec.training.seed, "compression", who)


def _gossip(
    settings: GossipSettings, rank: Rank, view: View, stream: Random, *, spec: JobSpec
) -> Algorithm:
    selection = PeerSelection(settings.topology, settings.chosen_selection, spec.training.seed)
    rounding = _rounding(spec, f"worker-{rank}")
    common = _Common(period=settings.period, overlap=settings.overlap)
    if settings.exchange == "Pull":
        reading, weight = Reading(settings.compression, rounding), settings.mixing_weight
        return PullGossip(
            rank, view, selection, stream, mixing_weight=weight, reading=reading, **common
        )
    codec = codec_of(settings.compression, rounding)
    match settings.exchange:
        case "Push":
            return PushGossip(rank, view, selection, stream, codec=codec, **common)
        case "PushSum":
            return PushSum(rank, view, selection, stream, codec=codec, **common)
    weight = settings.mixing_weight
    return Pairwise(rank, view, selection, stream, mixing_weight=weight, codec=codec, **common)


def _local_sgd(
    settings: LocalSGDSettings, rank: Rank, view: View, num_parameters: int, *, spec: JobSpec
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
            seed=spec.training.seed,
            codec=codec_of(settings.compression, _rounding(spec, f"worker-{rank}")),
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
