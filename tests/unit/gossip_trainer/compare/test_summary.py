import math

import pytest

from gossip_trainer.compare.summary import best_rates

NEVER = math.inf


def standing(report, strategy="pull-gossip", workers=4):
    return next(s for s in report.best if (s.strategy, s.workers) == (strategy, workers))


def test_a_strategy_that_always_reaches_the_target_has_means_with_intervals(report):
    found = standing(report(lambda _s, _n, seed, _r: 10.0 + seed))
    assert found.seconds.mean == pytest.approx(11.0)
    assert found.seconds.margin == pytest.approx(4.3027 / math.sqrt(3), rel=1e-4)
    assert found.samples.mean == pytest.approx(1100.0)
    assert found.steps.mean == pytest.approx(110.0)
    assert found.received_bytes.mean == pytest.approx(11000.0)
    assert found.accuracy.mean == pytest.approx(0.8)
    assert found.num_reached == 3


def test_a_seed_that_did_not_reach_it_leaves_no_mean_but_a_lower_bound(report):
    found = standing(report(lambda _s, _n, seed, _r: NEVER if seed == 1 else 10.0))
    assert (found.num_reached, found.num_failed) == (2, 0)
    assert found.seconds is found.samples is found.steps is found.received_bytes is None
    assert found.at_least_seconds == pytest.approx((10 + 100 + 10) / 3)


def test_a_failed_cell_leaves_neither(report):
    found = standing(report(lambda _s, _n, seed, _r: "no memory" if seed == 1 else 10.0))
    assert (found.num_reached, found.num_failed) == (2, 1)
    assert found.seconds is found.at_least_seconds is None
    assert found.accuracy.mean == pytest.approx(0.8)


RATES = {"learning_rates": (0.1, 0.2, 0.4)}


def test_the_best_learning_rate_is_the_one_that_takes_least(report):
    times = {0.1: 30.0, 0.2: 10.0, 0.4: 20.0}
    found = report(lambda _s, _n, _seed, rate: times[rate], **RATES)
    assert standing(found).learning_rate == 0.2
    assert standing(found).edge is None
    assert len(found.every) == 3 * len(found.best)


def test_reaching_it_with_more_seeds_is_better_than_reaching_it_sooner(report):
    def seconds(_strategy, _workers, seed, rate):
        return {0.1: 30.0, 0.2: NEVER, 0.4: NEVER if seed == 2 else 1.0}[rate]

    assert standing(report(seconds, **RATES)).learning_rate == 0.1


def test_the_best_rate_may_differ_from_size_to_size(report):
    found = report(lambda _s, workers, _seed, rate: abs(rate - workers / 40) + 1, **RATES)
    rates = [standing(found, workers=workers).learning_rate for workers in (4, 16)]
    assert rates == [0.1, 0.4]
    assert [standing(found, workers=n).edge for n in (4, 16)] == ["lowest", "highest"]


def test_a_single_rate_has_no_edge(report):
    assert standing(report(lambda *_: 1.0)).edge is None


def test_a_rate_of_one_strategy_alone_is_no_edge_of_the_others(report):
    found = report(lambda *_: 1.0, "job,job:spec.training.optimizer.learningRate=1")
    assert {each.edge for each in found.best} == {None}


def test_of_equal_rates_the_smallest_is_taken(report):
    assert [each.learning_rate for each in best_rates(report(lambda *_: 1.0, **RATES).every)] == [
        0.1
    ] * 4
