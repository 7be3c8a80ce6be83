"""The status: what the operator writes."""

import pytest
from pydantic import ValidationError

from gossip_api.status import JobStatus

CONDITION = {
    "type": "Progressing",
    "status": "True",
    "reason": "Training",
    "lastTransitionTime": "2026-01-02T03:04:05Z",
}


def test_what_is_not_known_is_not_written():
    assert JobStatus().model_dump(mode="json", by_alias=True, exclude_defaults=True) == {}


def test_a_status_survives_being_written():
    document = {
        "observedGeneration": 3,
        "state": "Running",
        "finished": False,
        "conditions": [{**CONDITION, "message": "7 of 8 train", "observedGeneration": 3}],
        "workers": {"desired": 8, "ready": 7, "display": "7/8", "selector": "a=b"},
        "progress": {"step": 5, "epoch": "0.4", "updated": "2026-01-02T03:04:05Z"},
        "restarts": 1,
        "failures": [
            {
                "role": "worker",
                "index": 3,
                "incarnation": 1,
                "reason": "OOMKilled",
                "exitCode": 137,
                "node": "n1",
                "time": "2026-01-02T03:04:05Z",
            }
        ],
    }
    status = JobStatus.model_validate(document)
    assert status.model_dump(mode="json", by_alias=True, exclude_defaults=True) == document


@pytest.mark.parametrize(
    "document",
    [
        {"state": "Odd"},
        {"conditions": [{**CONDITION, "status": "Maybe"}]},
        {"conditions": [{**CONDITION, "reason": "Whatever"}]},
        {"conditions": [{**CONDITION, "lastTransitionTime": "2026-01-02T03:04:05"}]},
        {"progress": {"percent": 101}},
        {"failures": [{}] * 11},
    ],
)
def test_a_malformed_status_is_refused(document):
    with pytest.raises(ValidationError):
        JobStatus.model_validate(document)
