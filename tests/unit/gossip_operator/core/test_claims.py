"""Whether the pods of a job can mount the claim that its checkpoints go to."""

import pytest
from manifest_jobs import job

from gossip_api.reasons import Reason
from gossip_operator.core.claims import Claim, claim_trouble

CLAIM = {"storage": {"claimName": "models"}}
BUCKET = {"storage": {"url": "s3://bucket/runs"}}


def trouble(*modes, terminating=False, **checkpoint):
    of = job(checkpoint=CLAIM | checkpoint)
    return claim_trouble(of, Claim(modes, terminating))


@pytest.mark.parametrize("checkpoint", [None, BUCKET], ids=["none", "bucket"])
def test_a_job_without_a_claim_has_no_trouble_with_it(checkpoint):
    assert claim_trouble(job(checkpoint=checkpoint), None) is None


def test_a_claim_that_is_not_there_is_asked_for():
    found = claim_trouble(job(checkpoint=CLAIM), None)
    assert found.reason is Reason.CLAIM_NOT_FOUND
    assert found.message == (
        "it is not in namespace team; create it, or name another in "
        "spec.checkpoint.storage.claimName"
    )


def test_a_claim_that_is_being_deleted_is_as_good_as_gone():
    found = trouble("ReadWriteMany", terminating=True)
    assert found.reason is Reason.CLAIM_NOT_FOUND
    assert "is being deleted" in found.message


@pytest.mark.parametrize(
    ("modes", "is_enough"),
    [
        (["ReadWriteMany"], True),
        (["ReadWriteOnce", "ReadWriteMany"], True),
        (["ReadWriteOnce"], False),
        (["ReadWriteOncePod"], False),
        (["ReadOnlyMany"], False),
        ([], False),
    ],
)
def test_where_all_save_all_nodes_must_be_able_to_write(modes, is_enough):
    found = trouble(*modes)
    assert (found is None) == is_enough
    if found is not None:
        assert found.reason is Reason.CLAIM_NOT_SHARED
        assert f"its access modes are {', '.join(modes) or 'none'}; must have ReadWriteMany" in (
            found.message
        )


@pytest.mark.parametrize(
    ("mode", "is_enough"),
    [
        ("ReadWriteMany", True),
        ("ReadWriteOnce", True),
        ("ReadWriteOncePod", True),
        ("ReadOnlyMany", False),
    ],
)
def test_where_only_the_evaluator_saves_one_writer_is_enough(mode, is_enough):
    found = trouble(mode, writers="Evaluator")
    assert (found is None) == is_enough
    if found is not None:
        assert "its access modes are ReadOnlyMany" in found.message
