import math
import random

import pytest
from scipy import stats

from gossip_trainer.compare.report import make_report
from gossip_trainer.compare.words import notes, verdict_lines

NEVER = math.inf
NOISE = (0.0, 0.3, -0.2)


def scaling(**laws):
    """Return seconds that follow a power law per strategy, with noise that differs a little."""

    def seconds(strategy, workers, seed, _rate):
        at_4, exponent = laws[strategy.replace("-", "_")]
        return at_4 * (workers / 4) ** exponent + NOISE[(seed + len(strategy)) % 3] * 0.1

    return seconds


CROSSING = scaling(all_reduce=(10.0, -0.5), pull_gossip=(14.0, -1.0))


def lines(report):
    return verdict_lines(report.verdicts, report.crossovers)


def test_the_first_is_the_one_that_takes_least_and_the_others_are_so_much_later(report):
    small, large = report(CROSSING).verdicts
    assert (small.first.strategy, large.first.strategy) == ("all-reduce", "pull-gossip")
    (gap,) = small.gaps
    assert gap.later.mean == pytest.approx(4.0)
    assert gap.ratio == pytest.approx(1.4, abs=0.01)
    assert gap.is_certain


def test_the_crossover_is_where_the_two_power_laws_meet(report):
    (crossover,) = report(CROSSING).crossovers
    assert (crossover.below, crossover.above, crossover.is_certain) == (4, 16, True)
    assert crossover.at == pytest.approx(4 * 1.4**2, rel=0.02)


def test_a_lead_without_a_certain_difference_is_called_noise(report):
    times = {"all-reduce": (10, 20, 30), "pull-gossip": (12, 19, 31)}
    found = report(lambda strategy, _n, seed, _r: times[strategy][seed], workers=(4,))
    (gap,) = found.verdicts[0].gaps
    p = stats.ttest_rel(times["pull-gossip"], times["all-reduce"]).pvalue
    assert p > 0.05
    assert not gap.is_certain
    assert "all-reduce was first (20 s), but pull-gossip may do as well" in lines(found)[0]


def test_seeds_are_paired(report):
    found = report(
        lambda strategy, _n, seed, _r: 10.0**seed + (strategy == "all-reduce") * (1 + seed / 10),
        workers=(4,),
    )
    assert found.verdicts[0].gaps[0].is_certain


def test_one_seed_tells_nothing_about_noise(report):
    found = report(CROSSING, seeds=1)
    assert not found.verdicts[0].gaps[0].is_certain
    assert "one seed does not tell noise from merit" in lines(found)[0]
    assert not found.crossovers[0].is_certain


def test_more_rivals_take_more_evidence(report):
    times = {"all-reduce": (10, 10, 10), "pull-gossip": (11, 11.1, 10.6), "push-sum": (90, 91, 92)}

    def seconds(strategy, _workers, seed, _rate):
        return times[strategy][seed]

    alone = report(seconds, workers=(4,)).verdicts[0]
    beside = report(seconds, "all-reduce,pull-gossip,push-sum", workers=(4,)).verdicts[0]
    assert alone.gaps[0].is_certain
    assert not beside.gaps[0].is_certain
    confidence = 1 - 0.05 / 2
    t = stats.t.ppf((1 + confidence) / 2, 2)
    assert beside.gaps[0].later.margin == pytest.approx(t * stats.sem([1, 1.1, 0.6]))


def test_a_rival_that_does_not_always_reach_the_target_is_never_first_nor_given_a_mean(report):
    def seconds(strategy, _workers, seed, _rate):
        return 10.0 if strategy == "all-reduce" else (NEVER if seed == 0 else 1.0)

    found = report(seconds, workers=(4,))
    (verdict,) = found.verdicts
    assert verdict.first.strategy == "all-reduce"
    assert verdict.gaps[0].later is None
    assert lines(found) == [
        "4 workers: take all-reduce (10 s); pull-gossip reached the target with 2 of 3 seeds."
    ]


def test_where_none_always_reaches_it_none_is_first(report):
    found = report(
        lambda strategy, _n, seed, _r: 1.0 if seed and strategy == "all-reduce" else NEVER
    )
    assert [verdict.first for verdict in found.verdicts] == [None, None]
    assert found.crossovers == ()
    assert lines(found)[0] == (
        "4 workers: no strategy reached the target with every seed; all-reduce did with 2 of 3 and "
        "pull-gossip did with 0 of 3."
    )


def test_a_crossover_to_one_that_the_other_cannot_be_compared_with_has_no_place(report):
    def seconds(strategy, workers, _seed, _rate):
        if strategy == "all-reduce":
            return 10.0 if workers == 4 else NEVER
        return 20.0

    (crossover,) = report(seconds).crossovers
    assert (crossover.at, crossover.is_certain) == (None, False)
    assert (crossover.below, crossover.above) == (4, 16)


def test_a_crossover_spans_the_sizes_at_which_the_leads_are_certain(report):
    times = {
        "all-reduce": {4: 10, 8: 10, 16: 10, 32: 10},
        "pull-gossip": {4: 20, 8: 10.1, 16: 9.9, 32: 5},
    }

    def seconds(strategy, workers, seed, _rate):
        return times[strategy][workers] + NOISE[(seed + len(strategy)) % 3]

    found = report(seconds, workers=(4, 8, 16, 32), seeds=3)
    (crossover,) = found.crossovers
    assert (crossover.below, crossover.above, crossover.is_certain) == (4, 32, True)
    assert 8 < crossover.at < 16
    assert lines(found)[-1].startswith(
        "Between 4 and 32 workers the lead passes from all-reduce to"
    )


def test_of_several_sizes_with_certain_leads_the_nearest_are_told(report):
    sizes = (2, 4, 8, 16, 32, 64)
    ahead = dict(zip(sizes, (5.0, 4.0, 0.1, -0.1, -4.0, -5.0), strict=True))

    def seconds(strategy, workers, seed, _rate):
        later = ahead[workers] if strategy == "pull-gossip" else 0.0
        return 20.0 + later + NOISE[(seed + len(strategy)) % 3]

    (crossover,) = report(seconds, workers=sizes).crossovers
    assert (crossover.below, crossover.above, crossover.is_certain) == (4, 32, True)


def test_a_lead_by_noise_between_two_certain_leads_of_the_other_is_not_certain(report):
    ahead = {4: 4.0, 8: -0.1, 16: 4.0}

    def seconds(strategy, workers, seed, _rate):
        later = ahead[workers] if strategy == "pull-gossip" else 0.0
        return 20.0 + later + NOISE[(seed + len(strategy)) % 3]

    there, back = report(seconds, workers=(4, 8, 16)).crossovers
    assert (there.is_certain, there.below, there.above) == (False, 4, 8)
    assert (back.is_certain, back.below, back.above) == (False, 8, 16)


def test_the_first_at_every_size_is_told(report):
    times = {"all-reduce": (10, 20, 30), "pull-gossip": (12, 22.5, 32.5)}
    found = report(lambda strategy, _n, seed, _r: times[strategy][seed])
    *_, large, summary = lines(found)
    assert large == (
        "16 workers: take all-reduce (20 s); next is pull-gossip, which takes 1.12 times as long "
        "(1.62 to 3.05 s more)."
    )
    assert summary == "all-reduce is first at every size, 4 to 16 workers."


def test_one_strategy_alone_is_simply_told(report):
    found = report(lambda *_: 10.0, "job", workers=(4,))
    assert lines(found) == ["4 workers: job reaches the target in 10 s."]


def test_times_of_zero_are_no_ratio(report):
    found = report(lambda strategy, *_: 0.0 if strategy == "all-reduce" else 1.0)
    assert [verdict.gaps[0].ratio for verdict in found.verdicts] == [None, None]


def test_a_best_rate_at_the_edge_and_coarse_evaluations_are_noted(report):
    found = report(lambda *_: 10.0, workers=(4,), learning_rates=(0.1, 0.2))
    rate, coarse = notes(found.best)
    assert rate == (
        "the best learning rate is the lowest tried for all-reduce with 4 workers; pull-gossip "
        "with 4 workers; try lower ones with --learning-rates"
    )
    assert coarse.startswith("evaluations are far apart compared with the time to the target")


@pytest.fixture
def judged(cells, found):
    """Return the verdict on random times of so many seeds, many times over."""

    def judge(means, runs, seeds=3, spread=5.0):
        stream = random.Random(3)
        planned = cells(",".join(means), workers=(4,), seeds=seeds)
        for _ in range(runs):
            times = {cell.key: stream.gauss(means[cell.strategy], spread) for cell in planned}
            news = {key: found(key, seconds) for key, seconds in times.items()}
            yield make_report(planned, news).verdicts[0]

    return judge


def test_two_equals_are_told_apart_in_five_percent_of_the_cases(judged):
    runs = 1500
    means = {"all-reduce": 50.0, "pull-gossip": 50.0}
    wrong = sum(verdict.gaps[0].is_certain for verdict in judged(means, runs))
    assert abs(wrong / runs - 0.05) < 4.5 * (0.05 * 0.95 / runs) ** 0.5


def test_a_strategy_is_hardly_ever_called_faster_than_the_one_that_truly_is_the_fastest(judged):
    runs, wrong = 1500, 0
    means = {"all-reduce": 50.0, "pull-gossip": 50.1, "push-sum": 50.1}
    for verdict in judged(means, runs):
        (best,) = (each for each in verdict.standings if each.strategy == "all-reduce")
        gap = next((gap for gap in verdict.gaps if gap.rival is best), None)
        wrong += gap is not None and gap.is_certain
    assert wrong / runs < 0.025 + 4.5 * (0.025 * 0.975 / runs) ** 0.5
