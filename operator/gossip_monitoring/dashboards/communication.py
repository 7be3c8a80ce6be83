"""The dashboard of what workers exchange: how much, how old it is, and whether they agree."""

from __future__ import annotations

from typing import Final

from gossip_api.metrics import jobs, processes
from gossip_monitoring.dashboards.choices import GROUP, MARKS, ONE_NAMESPACE, RANKS, SOME_JOBS
from gossip_monitoring.dashboards.exchanges import exchanges, of_some_strategies, transfers
from gossip_monitoring.dashboards.expressions import (
    CHOSEN_RANKS,
    JOB,
    RANK,
    gathered,
    growth,
    highest,
    known,
    mean,
    of,
)
from gossip_monitoring.dashboards.panel import (
    COLUMNS,
    Dashboard,
    Heatmap,
    Lines,
    Panel,
    Query,
    Row,
    Unit,
)
from gossip_monitoring.dashboards.recurring import NAME, WORKER, by_strategy, quantiles


def _consensus() -> Row:
    averaged = highest(JOB, of(processes.AVERAGED))
    missed = growth(JOB, of(processes.MISSED))
    return Row(
        "Consensus",
        (
            by_strategy(
                "Consensus distance",
                "Root mean square distance of the workers' models from their mean. With gossip it "
                "settles where learning drives models apart as fast as averaging pulls them "
                "together, and falls with the learning rate.",
                Unit.SHORT,
                known(jobs.CONSENSUS_DISTANCE),
            ),
            by_strategy(
                "Consensus distance by the norm of the mean",
                "The same as a share of the mean's norm, which compares models of any size. From "
                "about a half on the average is no model that any worker has trained.",
                Unit.RATIO,
                highest(JOB, of(processes.RELATIVE_CONSENSUS_DISTANCE)),
            ),
            by_strategy(
                "Steps between the models in the mean",
                "Newest less oldest step of the models that the evaluator averaged. Models of far "
                "older steps are far away for that reason alone.",
                Unit.SHORT,
                highest(JOB, of(processes.SPREAD)),
            ),
            Panel(
                "Workers in the mean",
                "Workers whose models the evaluator averaged, and those that were there but could "
                "not be read.",
                Unit.NONE,
                (Query(averaged, f"{NAME} averaged"), Query(missed, f"{NAME} missed")),
                width=12,
                height=7,
            ),
            Panel(
                "Peers that a worker knows to live",
                "The worker that knows fewest and the one that knows most. They differ while "
                "somebody joins or is lost; for long, if the network is split.",
                Unit.NONE,
                tuple(
                    Query(
                        gathered(how, JOB, highest(RANK, of(processes.PEERS, role="worker"))),
                        f"{NAME} {word}",
                    )
                    for how, word in (("min", "fewest"), ("max", "most"))
                ),
                width=12,
                height=7,
            ),
        ),
    )


def _staleness() -> Row:
    age = "Age in steps: the worker's own step less that of the model, 0 if the peer is ahead."
    return Row(
        "Staleness",
        (
            by_strategy(
                "Mean staleness",
                f"Of the peers' models taken in. {age}",
                Unit.SHORT,
                mean(JOB, processes.STALENESS),
                Lines(),
            ),
            Panel(
                "Staleness",
                "Half, nineteen of twenty and 99 of 100 models taken in were no older. "
                f"{age} Above 256 is shown as 256.",
                Unit.SHORT,
                quantiles(processes.STALENESS, JOB, NAME),
            ),
            Panel(
                "Models that could not be published",
                "Steps whose model was not published because readers held every buffer. Others see "
                "an older one meanwhile.",
                Unit.NONE,
                (Query(growth(RANK, of(processes.UNPUBLISHED, within=CHOSEN_RANKS)), WORKER),),
                Lines(bars=True, stacked=True),
            ),
            Panel(
                "Staleness: $job",
                "How many of the models taken in were how many steps old.",
                Unit.SHORT,
                (Query(growth(("le",), of(processes.STALENESS, part="bucket")), "{{le}}"),),
                Heatmap(),
                width=COLUMNS,
                repeat="job",
            ),
        ),
    )


COMMUNICATION: Final = Dashboard(
    "gossip-communication",
    "Gossip training / Communication and consensus",
    "What the workers of a job exchange: how much, how old it is, and whether they agree.",
    (ONE_NAMESPACE, SOME_JOBS, RANKS),
    (_consensus(), exchanges(), transfers(), _staleness(), of_some_strategies()),
    MARKS,
    GROUP,
)
