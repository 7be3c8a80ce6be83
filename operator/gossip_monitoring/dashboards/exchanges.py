"""Rows of communication: exchanges, bytes, and what only some strategies have."""

from __future__ import annotations

from typing import Final

from gossip_api.metrics import processes
from gossip_monitoring.dashboards.expressions import (
    CHOSEN_RANKS,
    INTERVAL,
    JOB,
    RANK,
    growth,
    highest,
    of,
    part_of,
    rate,
)
from gossip_monitoring.dashboards.panel import Lines, Panel, Query, Row, Unit
from gossip_monitoring.dashboards.recurring import NAME, WORKER, by_strategy, quantiles

_SHARD: Final = f"{NAME} shard {{{{rank}}}}"
_BEGUN: Final = ("completed", "lost")


def exchanges() -> Row:
    """Show what becomes of the exchanges."""
    by_result = rate((*JOB, "result"), of(processes.EXCHANGES))
    begun, lost, skipped = (
        of(processes.EXCHANGES, result=result) for result in (_BEGUN, "lost", "skipped")
    )
    return Row(
        "Exchanges",
        (
            Panel(
                "Exchanges per second",
                "What workers began of themselves. completed: the answer came. lost: it came to "
                "nothing. skipped: not begun, because the one before was still under way.",
                Unit.SHORT,
                (Query(by_result, f"{NAME} {{{{result}}}}"),),
                Lines(stacked=True),
            ),
            by_strategy(
                "Lost exchanges",
                "Share of the exchanges begun that came to nothing. A worker that dies costs each "
                "of its peers one; more, for minutes, is the network.",
                Unit.RATIO,
                part_of(JOB, lost, begun),
            ),
            by_strategy(
                "Skipped exchanges",
                "Share of all exchanges that were due while the one before was under way. Many: "
                "the network is slower than the workers; a longer period costs nothing then.",
                Unit.RATIO,
                part_of(JOB, skipped, of(processes.EXCHANGES)),
            ),
            Panel(
                "Duration of exchanges",
                "Half, nineteen of twenty and 99 of 100 exchanges took no longer.",
                Unit.SECONDS,
                quantiles(processes.EXCHANGE_SECONDS, JOB, NAME),
                Lines(logarithmic=True),
            ),
            Panel(
                "Messages taken in by each worker",
                "Messages of others per second. One that gets none learns alone.",
                Unit.MESSAGES_PER_SECOND,
                (Query(rate(RANK, of(processes.HEARD, within=CHOSEN_RANKS)), WORKER),),
            ),
            Panel(
                "Lost exchanges of each worker",
                "Exchanges that came to nothing. One worker alone: its node's network.",
                Unit.NONE,
                (
                    Query(
                        growth(RANK, of(processes.EXCHANGES, within=CHOSEN_RANKS, result="lost")),
                        WORKER,
                    ),
                ),
                Lines(bars=True, stacked=True),
            ),
        ),
    )


def transfers() -> Row:
    """Show how much is sent."""
    received = of(processes.BYTES, direction="received")
    each = of(processes.BYTES, within=CHOSEN_RANKS)
    return Row(
        "Bytes",
        (
            Panel(
                "Bytes per second",
                "Model bytes that all workers send and receive, without headers.",
                Unit.BYTES_PER_SECOND,
                (
                    Query(
                        rate((*JOB, "direction"), of(processes.BYTES)),
                        f"{NAME} {{{{direction}}}}",
                    ),
                ),
            ),
            Panel(
                "Bytes per second of each worker",
                "Sent and received together. Those that stand out have more peers than others.",
                Unit.BYTES_PER_SECOND,
                (Query(rate(RANK, each), WORKER),),
            ),
            by_strategy(
                "Bytes received per step",
                "Model bytes that workers receive for each of their steps: what a strategy costs, "
                "however fast it is. Models read from shared memory are sent by nobody.",
                Unit.BYTES,
                f"{rate(JOB, received)} / {rate(JOB, of(processes.STEPS_TAKEN))}",
            ),
        ),
    )


def of_some_strategies() -> Row:
    """Show what only some strategies have."""
    version = f"deriv({of(processes.VERSION)}[{INTERVAL}])"
    return Row(
        "Of some strategies: push-sum, collectives, servers",
        (
            Panel(
                "Push-sum weight of each worker",
                "1 with any exchange but push-sum. The weights add up to the number of workers; "
                "one near 0 has given away its weight and gets none back.",
                Unit.NONE,
                (
                    Query(
                        highest(RANK, of(processes.PUSH_SUM_WEIGHT, within=CHOSEN_RANKS)),
                        WORKER,
                    ),
                ),
                Lines(logarithmic=True),
            ),
            Panel(
                "Groups entered",
                "Groups that workers of a collective strategy entered: each time that a worker "
                "comes or goes, all form a new one.",
                Unit.NONE,
                (Query(growth(RANK, of(processes.GENERATIONS, within=CHOSEN_RANKS)), WORKER),),
                Lines(bars=True, stacked=True),
            ),
            Panel(
                "Updates of each shard",
                "Updates per second that a server's shard has taken in. Shards of one model keep "
                "pace with each other.",
                Unit.SHORT,
                (Query(highest(RANK, version), _SHARD),),
            ),
            Panel(
                "Messages taken in by each shard",
                "Workers' messages per second.",
                Unit.MESSAGES_PER_SECOND,
                (Query(rate(RANK, of(processes.MESSAGES)), _SHARD),),
                width=12,
            ),
            Panel(
                "Bytes per second of each shard",
                "Model bytes sent and received, without headers. A server's own network is the "
                "limit of its strategy; more shards spread it.",
                Unit.BYTES_PER_SECOND,
                (
                    Query(
                        rate((*RANK, "direction"), of(processes.SERVER_BYTES)),
                        f"{_SHARD} {{{{direction}}}}",
                    ),
                ),
                width=12,
            ),
        ),
        collapsed=True,
    )
