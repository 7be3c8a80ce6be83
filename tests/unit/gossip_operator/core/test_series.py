"""What Prometheus is told of a job: its status, and nothing that the status does not say."""

import copy

import pytest
from objects import CREATED, CREATED_SECONDS, raw_job

from gossip_api.metrics import jobs
from gossip_operator.core.series import series
from gossip_operator.shell.projections import job_view

STATUS = {
    "state": "Running",
    "conditions": [
        {
            "type": "Progressing",
            "status": "True",
            "reason": "Training",
            "lastTransitionTime": CREATED,
        }
    ],
    "startTime": CREATED,
    "beganTime": "2026-01-02T03:05:05Z",
    "workers": {
        "desired": 4,
        "active": 4,
        "ready": 3,
        "succeeded": 0,
        "failed": 1,
        "display": "3/4",
        "selector": "a=b",
    },
    "progress": {
        "step": 120,
        "epoch": "0.25",
        "percent": 25,
        "etaSeconds": 90,
        "samplesPerSecond": "300",
        "loss": "0.5",
        "accuracy": "0.75",
        "consensusDistance": "0.01",
        "updated": "2026-01-02T03:06:05Z",
    },
    "restarts": 2,
}
MEASURED = (
    *(jobs.STEP, jobs.EPOCH, jobs.PROGRESS, jobs.SAMPLE_RATE, jobs.LOSS, jobs.ACCURACY),
    *(jobs.CONSENSUS_DISTANCE, jobs.ETA, jobs.UPDATED, jobs.RESTARTS),
)


def told(raw):
    """Return the values by name and own labels; each but once, and all of this job."""
    samples = list(series(job_view(raw)))
    assert {sample.identity for sample in samples} == {("default", "digits")}
    found = {(sample.metric.name, *sample.values): sample.value for sample in samples}
    assert len(found) == len(samples)
    return found


def with_status(**changes):
    """A job of this status, less what is None."""
    status = {**copy.deepcopy(STATUS), **changes}
    return {**raw_job(), "status": {key: value for key, value in status.items() if value}}


def figures(raw, *metrics):
    found = told(raw)
    return [found.get((metric.name,)) for metric in metrics]


def test_progress_is_told_in_base_units():
    found = figures(with_status(), *MEASURED)
    updated = CREATED_SECONDS + 120
    assert found == [120, 0.25, 0.25, 300, 0.5, 0.75, 0.01, 90, updated, 2]


def test_the_state_is_one_of_all_states():
    found = told(with_status())
    states = {key[1]: value for key, value in found.items() if key[0] == jobs.STATE.name}
    assert set(states) == set(jobs.STATE.labels["state"])
    assert [state for state, value in states.items() if value] == ["Running"]


def test_a_condition_has_one_of_three_statuses():
    name = jobs.CONDITION.name
    conditions = {key[1:]: v for key, v in told(with_status()).items() if key[0] == name}
    assert conditions == {
        ("Progressing", "True"): 1,
        ("Progressing", "False"): 0,
        ("Progressing", "Unknown"): 0,
    }


def test_workers_are_counted_by_state_beside_how_many_there_must_be():
    name = jobs.WORKERS.name
    workers = {key[1]: value for key, value in told(with_status()).items() if key[0] == name}
    assert workers == {
        "desired": 4,
        "minimum": 1,
        "active": 4,
        "ready": 3,
        "succeeded": 0,
        "failed": 1,
    }
    assert set(workers) == set(jobs.WORKER_STATES)


def test_the_job_is_described_in_one_series():
    found = told(with_status())
    assert found[jobs.INFO.name, "Gossip", "Pull", "Complete", "mlp", "digits"] == 1


def test_times_are_told_once_they_are_known():
    ended = "2026-01-02T03:07:05Z"
    times = (jobs.CREATED, jobs.STARTED, jobs.BEGAN, jobs.COMPLETED)
    at = CREATED_SECONDS
    assert figures(with_status(), *times) == [at, at, at + 60, None]
    finished = with_status(state="Succeeded", completionTime=ended)
    assert figures(finished, *times) == [at, at, at + 60, at + 180]


def test_a_job_without_a_status_has_nothing_but_what_its_document_says():
    names = {name for name, *_ in told(raw_job())}
    assert names == {jobs.INFO.name, jobs.CREATED.name, jobs.WORKERS.name}


@pytest.mark.parametrize(
    ("checkpoint", "seconds"),
    [
        ({"every": "90s"}, 90),
        ({"every": "90s", "writers": "Evaluator"}, None),
        (None, None),
    ],
)
def test_the_time_between_checkpoints_is_told_where_workers_save_any(checkpoint, seconds):
    raw = with_status()
    if checkpoint is not None:
        raw["spec"]["checkpoint"] = {"storage": {"url": "s3://bucket"}} | checkpoint
    assert figures(raw, jobs.CHECKPOINT_INTERVAL) == [seconds]


def test_what_was_not_measured_is_absent_and_not_0():
    assert figures(with_status(progress=None, restarts=None), *MEASURED) == [None] * len(MEASURED)


@pytest.mark.parametrize("state", ["Succeeded", "Failed", "Suspended"])
def test_a_job_that_does_not_train_has_no_rate_and_no_end_to_come(state):
    found = figures(with_status(state=state), jobs.SAMPLE_RATE, jobs.ETA, jobs.STEP, jobs.LOSS)
    assert found == [None, None, 120, 0.5]


def test_the_result_counts_once_there_is_one():
    result = {"loss": "0.125", "accuracy": "0.9375", "step": 400, "epoch": "1"}
    finished = with_status(state="Succeeded", result=result)
    reached = (jobs.LOSS, jobs.ACCURACY, jobs.STEP, jobs.EPOCH)
    assert figures(finished, *reached) == [0.125, 0.9375, 400, 1]


def test_a_result_whose_loss_is_not_finite_leaves_no_loss_of_before():
    failed = with_status(state="Succeeded", result={"accuracy": "0.1"})
    assert figures(failed, jobs.LOSS, jobs.ACCURACY) == [None, 0.1]


@pytest.mark.parametrize("text", ["high", "nan", "inf", ""])
def test_a_text_that_is_no_finite_number_costs_only_its_own_series(text):
    found = figures(with_status(progress={"loss": text, "step": 3}), jobs.LOSS, jobs.STEP)
    assert found == [None, 3]


def test_a_job_that_the_models_refuse_is_told_of_all_the_same():
    raw = with_status(state="Failed")
    raw["spec"]["strategy"] = {"type": "Telepathy"}
    found = told(raw)
    assert found[jobs.STATE.name, "Failed"] == 1
    assert jobs.INFO.name not in {name for name, *_ in found}


def test_a_job_has_no_series_that_the_registry_does_not_count():
    kinds = jobs.CONDITION.labels["condition"]
    conditions = [{**STATUS["conditions"][0], "type": kind} for kind in kinds]
    full = with_status(conditions=conditions, completionTime=CREATED)
    full["spec"]["checkpoint"] = {"storage": {"claimName": "models"}}
    assert len(told(full)) == sum(metric.num_series for metric in jobs.JOB)
