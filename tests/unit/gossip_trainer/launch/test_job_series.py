"""What a local run tells of its job as a whole, at every stage."""

from datetime import timedelta

import pytest

from gossip_api.checkpoint import Checkpoint, Storage
from gossip_api.metrics import jobs
from gossip_trainer.launch.job_series import job_series
from gossip_trainer.observability.events import Replaced
from gossip_trainer.report.history import fold

BEGIN = 1_000_000.0
FIGURES = (
    jobs.PROGRESS,
    jobs.STEP,
    jobs.EPOCH,
    jobs.SAMPLE_RATE,
    jobs.LOSS,
    jobs.ACCURACY,
    jobs.CONSENSUS_DISTANCE,
    jobs.ETA,
    jobs.UPDATED,
    jobs.BEGAN,
)


class Series:
    """What was told, by metric and own labels."""

    def __init__(self, samples):
        self.samples = list(samples)
        self.by_labels = {(s.metric.name, s.values): s.value for s in self.samples}
        assert len(self.by_labels) == len(self.samples), "one series twice"

    def of(self, metric, *values):
        return self.by_labels.get((metric.name, values))

    def holding(self, metric):
        """Return the labels of those that are 1."""
        name = metric.name
        return {v for (n, v), value in self.by_labels.items() if n == name and value == 1}


@pytest.fixture
def tell(job):
    def tell(*records, **more):
        return Series(job_series(job, fold(records), created=BEGIN - 10, **more))

    return tell


@pytest.fixture
def both_train(records):
    return [records.began(0), records.began(1, at=0.5), records.progress(0), records.progress(1)]


def test_before_anything_is_known_the_figures_are_absent_instead_of_zero(tell):
    found = tell()
    assert [found.of(metric) for metric in FIGURES] == [None] * len(FIGURES)
    assert found.of(jobs.RESTARTS) == 0
    assert found.holding(jobs.STATE) == {("Starting",)}


def test_every_series_is_from_the_registry_with_its_labels(tell, both_train):
    for sample in tell(*both_train).samples:
        assert sample.metric in jobs.JOB
        assert sample.identity == ("local", "digits")
        allowed = sample.metric.labels.values()
        assert all(
            not values or value in values
            for value, values in zip(sample.values, allowed, strict=True)
        )


def test_in_the_end_every_metric_of_a_job_is_told(tell, records, both_train):
    found = tell(*both_train, records.evaluation(), outcome="succeeded", completed=BEGIN + 9)
    running = tell(*both_train, records.evaluation())
    told = {sample.metric for sample in (*found.samples, *running.samples)}
    assert told == set(jobs.JOB) - {jobs.CHECKPOINT_INTERVAL}  # this one saves none


def test_the_time_between_checkpoints_is_told_of_a_job_that_saves_some(job):
    checkpoint = Checkpoint(storage=Storage(claim_name="models"), every=timedelta(minutes=1))
    spec = job.spec.model_copy(update={"checkpoint": checkpoint})
    found = Series(job_series(job.model_copy(update={"spec": spec}), fold(()), created=BEGIN))
    assert found.of(jobs.CHECKPOINT_INTERVAL) == 60


def test_the_info_says_what_the_job_is(tell):
    assert tell().holding(jobs.INFO) == {("Gossip", "Push", "Complete", "mlp", "digits")}


def test_while_both_train_it_runs_with_their_figures_together(tell, records):
    found = tell(
        records.began(0),
        records.began(1, at=0.5),
        records.progress(0, at=1.0, step=100, samples_per_second=1000.0),
        records.progress(1, at=2.0, step=200, samples_per_second=500.0, job_samples=2500),
        records.evaluation(at=1.5),
    )
    assert found.holding(jobs.STATE) == {("Running",)}
    assert (found.of(jobs.STEP), found.of(jobs.SAMPLE_RATE)) == (150, 1500)
    assert (found.of(jobs.PROGRESS), found.of(jobs.ETA)) == (0.25, 6.0)
    assert (found.of(jobs.LOSS), found.of(jobs.ACCURACY)) == (0.4, 0.9)
    assert found.of(jobs.CONSENSUS_DISTANCE) == 0.25
    assert found.of(jobs.EPOCH) == 2.0
    assert (found.of(jobs.BEGAN), found.of(jobs.UPDATED)) == (BEGIN, BEGIN + 2)
    assert (found.of(jobs.CREATED), found.of(jobs.COMPLETED)) == (BEGIN - 10, None)


def counts(found):
    return {state: found.of(jobs.WORKERS, state) for state in jobs.WORKER_STATES}


def test_workers_are_counted_by_how_they_fare(tell, records, both_train):
    assert counts(tell(records.started(0), records.started(1), records.began(0))) == {
        "desired": 2,
        "minimum": 1,
        "active": 2,
        "ready": 1,
        "succeeded": 0,
        "failed": 0,
    }
    lost = counts(tell(*both_train, records.left(1, code=-9)))
    assert (lost["active"], lost["ready"], lost["failed"]) == (1, 1, 1)


def test_a_lost_worker_degrades_the_job_until_another_has_its_place(tell, records, both_train):
    lost = [*both_train, records.left(1, code=-9)]
    assert tell(*lost).holding(jobs.STATE) == {("Degraded",)}
    assert ("Degraded", "True") in tell(*lost).holding(jobs.CONDITION)
    again = [
        Replaced(source="launcher", member="worker-1-1", instead_of="worker-1-0"),
        records.began(1, incarnation=1, at=3.0),
    ]
    found = tell(*lost, *again)
    assert found.holding(jobs.STATE) == {("Running",)}
    assert (found.of(jobs.RESTARTS), counts(found)["failed"]) == (1, 0)


def test_while_it_ends_there_is_no_rate_any_more_and_nobody_is_missed(tell, records, both_train):
    found = tell(*both_train, records.stopping(), records.finished(), records.left())
    assert found.holding(jobs.STATE) == {("Running",)}
    assert found.of(jobs.SAMPLE_RATE) is None
    assert counts(found)["succeeded"] == 1


@pytest.mark.parametrize(
    ("outcome", "state", "condition"),
    [
        ("succeeded", "Succeeded", "Complete"),
        ("failed", "Failed", "Failed"),
        ("interrupted", "Failed", "Failed"),
    ],
)
def test_when_it_is_over_its_state_says_how_it_ended(
    tell, records, both_train, outcome, state, condition
):
    ends = [records.stopping(), records.left(0), records.left(1)]
    found = tell(*both_train, *ends, outcome=outcome, completed=BEGIN + 7)
    assert found.holding(jobs.STATE) == {(state,)}
    holds = {name for name, status in found.holding(jobs.CONDITION) if status == "True"}
    assert holds == {"Accepted", condition}
    assert (found.of(jobs.COMPLETED), found.of(jobs.ETA)) == (BEGIN + 7, None)


def test_a_loss_that_is_not_known_is_absent(tell, records, both_train):
    found = tell(*both_train, records.evaluation(loss=None, accuracy=None))
    assert (found.of(jobs.LOSS), found.of(jobs.ACCURACY)) == (None, None)
