import pytest

from gossip_api.training import Budget
from gossip_trainer.progress.budget import BudgetMeter, Done


def meter(**budget):
    return BudgetMeter(Budget(**budget), epoch_samples=1000, steps_samples=128)


def done(samples=0, seconds=0.0, steps=0):
    return Done(samples, seconds, steps)


ENOUGH = 10**9


@pytest.mark.parametrize(
    ("budget", "field", "below", "at"),
    [
        ({"samples": 500}, "samples", 499, 500),
        ({"epochs": 2.5}, "samples", 2499, 2500),
        ({"seconds": 60.0}, "seconds", 59.9, 60.0),
        ({"steps_per_worker": 7}, "steps", 6, 7),
    ],
)
def test_a_budget_is_used_up_when_its_own_measure_is_reached_and_by_nothing_else(
    budget, field, below, at
):
    everything = {"samples": ENOUGH, "seconds": float(ENOUGH), "steps": ENOUGH}
    assert not meter(**budget).is_used_up(done(**everything | {field: below}))
    assert meter(**budget).is_used_up(done(**{field: at}))


@pytest.mark.parametrize(
    ("budget", "samples"),
    [
        ({"samples": 500}, 500),
        ({"epochs": 2.5}, 2500),
        ({"steps_per_worker": 7}, 7 * 128),
        ({"seconds": 60.0}, None),
    ],
)
def test_the_total_is_known_in_samples_and_epochs_unless_only_the_clock_tells(budget, samples):
    assert meter(**budget).total_samples == samples
    epochs = None if samples is None else samples / 1000
    assert meter(**budget).total_epochs == epochs


@pytest.mark.parametrize(
    ("budget", "half"),
    [
        ({"samples": 500}, {"samples": 250}),
        ({"epochs": 1.0}, {"samples": 500}),
        ({"seconds": 60.0}, {"seconds": 30.0}),
        ({"steps_per_worker": 8}, {"steps": 4}),
    ],
)
def test_the_fraction_goes_from_zero_to_one_and_no_further(budget, half):
    assert meter(**budget).fraction(done()) == 0.0
    assert meter(**budget).fraction(done(**half)) == 0.5
    assert meter(**budget).fraction(done(ENOUGH, ENOUGH, ENOUGH)) == 1.0


def test_an_epoch_is_one_pass_of_all_workers_together():
    assert meter(samples=1).epoch(250) == 0.25


def test_a_budget_of_less_than_one_sample_ends_at_once():
    assert meter(epochs=0.0001).is_used_up(done())
