import pytest

from gossip_trainer.observability.events import ExchangeLost, Failed, Replaced
from gossip_trainer.report.history import fold
from gossip_trainer.report.summarize import summarize

BEGIN = 1_000_000.0


@pytest.fixture
def two_workers(began, progress, evaluation, stopping, finished):
    """Make the records of a run of 10 s that went well."""
    first, second = "worker-0-0", "worker-1-0"
    return [
        began(source=first),
        began(at=0.5, source=second),
        progress(at=5.0, source=first),
        progress(at=5.0, source=second, exchanges=80),
        evaluation(at=5.0, seconds=5.0, accuracy=0.96, job_samples=5000),
        evaluation(at=6.0, seconds=6.0, accuracy=0.96, job_samples=5600),
        stopping(at=10.0, source=first),
        stopping(at=10.2, source=second),
        evaluation(at=10.8, seconds=10.8, accuracy=0.95, final=True),
        finished(at=11.0, source=first),
        finished(at=11.0, source=second, samples=3100),
    ]


def test_it_names_the_job_and_how_it_ended(two_workers, job):
    summary = summarize(fold(two_workers), job(), state="succeeded", files=["summary.json"])

    assert (summary.job, summary.strategy, summary.num_workers) == ("digits", "Gossip", 2)
    assert (summary.outcome, summary.reason) == ("succeeded", "the budget is used up")
    assert summary.files == ("summary.json",)


def test_training_lasts_until_the_last_worker_stops_and_not_until_the_average_is_saved(
    two_workers, job
):
    assert summarize(fold(two_workers), job(), state="succeeded").training_seconds == 10.2


def test_the_samples_beyond_the_budget_are_counted(two_workers, job):
    summary = summarize(fold(two_workers), job(budget={"samples": 6000}), state="succeeded")

    assert (summary.job_samples, summary.budget_samples) == (6400, 6000)
    assert summary.overshoot_samples == 400


def test_a_budget_of_epochs_is_one_of_samples(two_workers, job):
    summary = summarize(fold(two_workers), job(budget={"epochs": 6.0}), state="succeeded")

    assert summary.epochs == pytest.approx(6.4)
    assert summary.budget_samples == 6000


def test_a_run_that_ended_early_is_not_beyond_its_budget(two_workers, job):
    summary = summarize(fold(two_workers), job(budget={"samples": 9000}), state="interrupted")

    assert summary.overshoot_samples == 0


@pytest.mark.parametrize("budget", [{"seconds": 10.0}, {"stepsPerWorker": 100}])
def test_budgets_of_time_and_steps_have_no_samples_to_be_beyond(two_workers, job, budget):
    summary = summarize(fold(two_workers), job(budget=budget), state="succeeded")

    assert summary.budget_samples is None
    assert summary.overshoot_samples is None


def test_the_last_evaluation_says_whether_the_models_were_final(two_workers, job):
    ended = summarize(fold(two_workers), job(), state="succeeded").last_evaluation
    killed = summarize(fold(two_workers[:6]), job(), state="failed").last_evaluation

    assert ended is not None
    assert killed is not None
    assert (ended.final, ended.accuracy) == (True, 0.95)
    assert (killed.final, killed.accuracy) == (False, 0.96)
    assert [worker.member for worker in ended.workers] == ["worker-0-0", "worker-1-0"]


def test_the_best_accuracy_is_the_first_of_equals(two_workers, job):
    best = summarize(fold(two_workers), job(), state="succeeded").best

    assert best is not None
    assert (best.accuracy, best.seconds, best.job_samples) == (0.96, 5.0, 5000)


def test_where_there_are_no_classes_the_best_has_the_lowest_loss(began, evaluation, job):
    losses = [None, 0.5, 0.25, 0.25, 0.75]
    told = [evaluation(seconds=t, loss=loss, accuracy=None) for t, loss in enumerate(losses)]
    target = {"metric": "accuracy", "value": 0.01}

    summary = summarize(fold([began(), *told]), job(target=target), state="succeeded")

    assert (summary.best.loss, summary.best.accuracy, summary.best.seconds) == (0.25, None, 2.0)
    assert summary.target.reached is None


@pytest.mark.parametrize(
    ("target", "seconds"),
    [
        ({"metric": "accuracy", "value": 0.96}, 5.0),
        ({"metric": "accuracy", "value": 0.97}, None),
        ({"metric": "loss", "value": 0.4}, 5.0),
        ({"metric": "loss", "value": 0.3}, None),
    ],
)
def test_a_target_is_reached_at_the_first_evaluation_that_meets_it(
    two_workers, job, target, seconds
):
    result = summarize(fold(two_workers), job(target=target), state="succeeded").target

    assert result is not None
    assert (result.reached.seconds if result.reached else None) == seconds


def test_a_loss_that_is_not_finite_meets_no_target(began, evaluation, job):
    history = fold([began(), evaluation(loss=None)])

    summary = summarize(history, job(target={"metric": "loss", "value": 9.0}), state="failed")

    assert summary.target is not None
    assert summary.target.reached is None


def test_a_job_without_target_has_no_result_for_it(two_workers, job):
    assert summarize(fold(two_workers), job(), state="succeeded").target is None


def test_every_worker_has_its_totals(two_workers, job):
    first, second = summarize(fold(two_workers), job(), state="succeeded").workers

    assert (first.member, first.end, first.steps, first.samples) == (
        "worker-0-0",
        "finished",
        100,
        3200,
    )
    assert (first.seconds, first.steps_per_second) == (10.0, 10.0)
    assert (second.seconds, second.exchanges) == (9.7, 80)
    assert (second.received_bytes, second.sent_bytes) == (9_000_000, 8_000_000)


def test_steps_of_a_model_that_a_replacement_copied_are_not_its_own(began, progress, job):
    history = fold([began(model_from="worker-1-0", step=60), progress(at=10.0)])

    (worker,) = summarize(history, job(), state="succeeded").workers

    assert (worker.steps, worker.steps_per_second) == (40, 4.0)


def test_mean_staleness_weighs_each_record_by_its_exchanges(began, progress, job):
    records = [
        began(),
        progress(at=1.0, exchanges=10, staleness=1.0),
        progress(at=2.0, exchanges=10, staleness=None),
        progress(at=3.0, exchanges=40, staleness=3.0),
    ]

    (worker,) = summarize(fold(records), job(), state="succeeded").workers

    assert worker.mean_staleness == 2.5


def test_lost_exchanges_are_counted_even_if_the_worker_died_before_it_summed_them_up(
    began, progress, job
):
    lost = [
        ExchangeLost(time=BEGIN + 2, source="worker-0-0", peer="worker-1-0", step=1, reason="gone")
    ] * 3

    (worker,) = summarize(fold([began(), progress(lost=2), *lost]), job(), state="failed").workers

    assert worker.exchanges_lost == 3


def test_it_says_who_was_lost_when_and_why(two_workers, left, job):
    history = fold([*two_workers, left(at=7.5)])

    summary = summarize(history, job(), state="succeeded")

    (lost,) = summary.lost
    assert (lost.member, lost.seconds, lost.exit_code) == ("worker-1-0", 7.5, -9)
    assert lost.reason == "killed by SIGKILL"
    assert [worker.end for worker in summary.workers] == ["finished", "lost"]


def test_a_good_end_is_no_loss(two_workers, left, job):
    history = fold([*two_workers, left(at=11.1, exit_code=0, reason="ended well")])

    assert summarize(history, job(), state="succeeded").lost == ()


def test_it_says_who_took_the_place_of_whom(two_workers, job):
    replaced = Replaced(
        time=BEGIN + 8.0, source="launcher", member="worker-1-1", instead_of="worker-1-0"
    )

    (new,) = summarize(fold([*two_workers, replaced]), job(), state="succeeded").replaced

    assert (new.member, new.instead_of, new.seconds) == ("worker-1-1", "worker-1-0", 8.0)


def test_the_launchers_reason_goes_before_what_records_tell_and_is_one_line(two_workers, job):
    summary = summarize(fold(two_workers), job(), state="failed", reason="too few\n  workers")

    assert summary.reason == "too few workers"


def test_a_failure_is_explained_by_the_process_that_gave_up(job):
    failed = Failed(source="worker-0-0", reason="no such data set")

    assert summarize(fold([failed]), job(), state="failed").reason == "worker-0-0: no such data set"


@pytest.mark.parametrize("state", ["succeeded", "failed", "interrupted"])
def test_a_run_without_any_record_has_a_summary_with_a_reason(job, state):
    summary = summarize(fold([]), job(), state=state)

    assert summary.reason
    assert summary.last_evaluation is None
    assert summary.best is None
    assert summary.epochs is None
    assert summary.workers == ()
