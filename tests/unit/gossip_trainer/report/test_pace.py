import pytest

from gossip_api.training import Budget
from gossip_trainer.report.history import fold
from gossip_trainer.report.pace import pace


@pytest.mark.parametrize(
    ("budget", "fraction"),
    [
        (Budget(samples=12_800), 0.5),
        (Budget(epochs=25.6), 0.25),
        (Budget(seconds=20.0), 0.1),
        (Budget(steps_per_worker=200), 0.5),
    ],
)
def test_every_kind_of_budget_has_a_fraction_and_a_time_left(began, progress, budget, fraction):
    standing = pace(fold([began(), progress(at=2.0)]), budget)

    assert standing is not None
    assert standing.fraction == pytest.approx(fraction)
    assert standing.seconds == pytest.approx(2.0)
    assert standing.seconds_left == pytest.approx(2.0 / fraction - 2.0)


@pytest.mark.parametrize(
    "budget",
    [
        Budget(samples=12_800),
        Budget(epochs=12.8),
        Budget(steps_per_worker=200),
        Budget(seconds=20.0),
    ],
)
def test_the_pace_of_a_resumed_run_is_of_what_it_has_done_itself(began, progress, budget):
    resumed = began(model_from="checkpoint", step=80, job_samples=5120, earlier_seconds=8.0)
    late = began(at=1.0, source="worker-1-0", model_from="worker-0-0", step=90, job_samples=5760)
    records = [resumed, late, progress(at=2.0), progress(at=2.0, source="worker-1-0")]

    standing = pace(fold(records), budget)

    assert standing is not None
    assert standing.fraction == pytest.approx(0.5)
    assert standing.seconds == pytest.approx(10.0)
    assert standing.seconds_left == pytest.approx(10.0)  # a tenth took two seconds


def test_the_slowest_worker_alive_decides_on_a_budget_of_steps(began, progress, left):
    records = [
        began(),
        progress(at=1.0, step=100),
        progress(at=1.0, source="worker-1-0", step=20),
        progress(at=1.0, source="worker-2-0", step=50),
    ]
    budget = Budget(steps_per_worker=100)

    alive, lost = pace(fold(records), budget), pace(fold([*records, left(at=1.0)]), budget)

    assert alive is not None
    assert lost is not None
    assert alive.fraction == pytest.approx(0.2)
    assert lost.fraction == pytest.approx(0.5)


def test_before_the_first_samples_nobody_knows_how_long_it_takes(began):
    standing = pace(fold([began()]), Budget(samples=100))

    assert standing is not None
    assert standing.fraction == 0.0
    assert standing.seconds_left is None


def test_a_job_that_has_not_begun_has_no_pace():
    assert pace(fold([]), Budget(samples=100)) is None
