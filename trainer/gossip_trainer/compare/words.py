"""The verdict in plain words. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

from gossip_trainer.report.words import NOTHING, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gossip_trainer.compare.estimate import Estimate
    from gossip_trainer.compare.summary import Standing
    from gossip_trainer.compare.verdict import Crossover, Gap, Verdict

COARSE = 0.25  # of the time to the target, between the evaluations around it


def verdict_lines(judged: Sequence[Verdict], crossed: Sequence[Crossover]) -> list[str]:
    """Say what to take at every size, and between which sizes that changes."""
    lines = [_choice(verdict) for verdict in judged]
    lines += [_crossing(crossover) for crossover in crossed]
    firsts = {verdict.first.strategy if verdict.first else None for verdict in judged}
    if len(judged) > 1 and len(firsts) == 1 and (first := judged[0].first):
        sizes = f"{judged[0].workers} to {judged[-1].workers} workers"
        sure = all(gap.is_certain for verdict in judged for gap in verdict.gaps)
        doubt = "" if sure else ", though not everywhere by more than noise"
        lines.append(f"{first.strategy} is first at every size, {sizes}{doubt}.")
    return lines


def notes(best: Sequence[Standing]) -> list[str]:
    """Say what to keep in mind about the numbers."""
    lines = []
    for edge, more in (("lowest", "lower"), ("highest", "higher")):
        if places := _places(standing for standing in best if standing.edge == edge):
            lines.append(
                f"the best learning rate is the {edge} tried for {places}; try {more} ones with "
                "--learning-rates"
            )
    if places := _places(standing for standing in best if _is_coarse(standing)):
        lines.append(
            f"evaluations are far apart compared with the time to the target for {places}; place "
            "it more exactly with a smaller --set evaluation.every"
        )
    return lines


def interval(value: Estimate | None) -> str:
    """Write a mean and its margin, two digits of it: `12.3 ± 4.5`."""
    if value is None:
        return NOTHING
    if not value.margin:
        return number(value.mean)
    decimals = max(0, 1 - math.floor(math.log10(value.margin)))
    return f"{value.mean:,.{decimals}f} ± {value.margin:,.{decimals}f}"


def behind(gap: Gap) -> str:
    """Write how many times as long a rival takes as the first: `1.36 x, noise`."""
    if gap.ratio is None:
        return NOTHING
    return f"{gap.ratio:.3g} x" + ("" if gap.is_certain else ", noise")


def workers_number(value: float) -> str:
    """Write a number of workers between two sizes: two digits of it."""
    return f"{float(f'{value:.2g}'):g}"


def reached(standing: Standing) -> str:
    """Write how many seeds reached the target, and how many cells failed: `2 of 3`."""
    failed = f", {standing.num_failed} failed" if standing.num_failed else ""
    return f"{standing.num_reached} of {len(standing.outcomes)}{failed}"


def _choice(verdict: Verdict) -> str:
    size = _size(verdict.workers)
    first = verdict.first
    if first is None:
        return f"{size}: no strategy reached the target with {_tries(verdict)}."
    assert first.seconds is not None
    took = f"{number(first.seconds.mean)} s"
    equal = [gap.rival.strategy for gap in verdict.gaps if gap.later and not gap.is_certain]
    if not verdict.gaps:
        return f"{size}: {first.strategy} reaches the target in {took}."
    if len(first.outcomes) == 1:
        head = f"{first.strategy} was first ({took}), but one seed does not tell noise from merit"
    elif equal:
        head = f"{first.strategy} was first ({took}), but {_list(equal)} may do as well"
    else:
        head = f"take {first.strategy} ({took})"
    parts = [_next(gap) for gap in verdict.gaps[:1] if gap.later is not None]
    parts += [
        f"{gap.rival.strategy} reached the target with {reached(gap.rival)} seeds"
        for gap in verdict.gaps
        if gap.later is None
    ]
    return f"{size}: {'; '.join([head, *parts])}."


def _next(gap: Gap) -> str:
    """Tell of the rival that comes nearest."""
    assert gap.later is not None
    factor = NOTHING if gap.ratio is None else f"{gap.ratio:.3g}"
    text = f"next is {gap.rival.strategy}, which takes {factor} times as long"
    if gap.later.margin is None:
        return text
    return f"{text} ({gap.later.low:.3g} to {gap.later.high:.3g} s more)"


def _tries(verdict: Verdict) -> str:
    if not any(standing.num_reached for standing in verdict.standings):
        return "any seed"
    return "every seed; " + _list(
        [f"{each.strategy} did with {reached(each)}" for each in verdict.standings]
    )


def _crossing(crossover: Crossover) -> str:
    text = (
        f"Between {crossover.below} and {crossover.above} workers the lead passes from "
        f"{crossover.before} to {crossover.after}"
    )
    if crossover.at is not None:
        text += f", at about {workers_number(crossover.at)}"
    if not crossover.is_certain:
        text += ", but not by more than noise on both sides"
    return f"{text}."


def _places(standings: Iterable[Standing]) -> str:
    """List strategies, each with its sizes."""
    sizes: defaultdict[str, list[str]] = defaultdict(list)
    for standing in standings:
        sizes[standing.strategy].append(str(standing.workers))
    return "; ".join(f"{name} with {_list(these)} workers" for name, these in sizes.items())


def _is_coarse(standing: Standing) -> bool:
    return any(
        outcome.reached and outcome.reached.gap_seconds > COARSE * outcome.reached.seconds
        for outcome in standing.outcomes
    )


def _size(workers: int) -> str:
    return f"{workers} worker{'' if workers == 1 else 's'}"


def _list(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
