"""What a job saves, and where."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from gossip_api.checkpoint import Checkpoint, Storage
from gossip_api.names import Role

CLAIM = {"storage": {"claimName": "models"}}


def test_every_process_saves_every_five_minutes_and_keeps_three_unless_said_otherwise():
    checkpoint = Checkpoint.model_validate(CLAIM)
    assert checkpoint.every == timedelta(minutes=5)
    assert checkpoint.keep == 3
    assert checkpoint.writers == "All"


@pytest.mark.parametrize("storage", [{}, {"claimName": "models", "url": "s3://bucket/runs"}])
def test_the_place_is_either_a_claim_or_a_bucket(storage):
    with pytest.raises(ValidationError, match="set exactly one of claimName and url"):
        Storage.model_validate(storage)


@pytest.mark.parametrize("url", ["s3://bucket", "s3://my.bucket/", "gs://bucket/Runs/of-2026_11"])
def test_buckets_of_two_makes_are_known(url):
    assert Storage(url=url).url == url


@pytest.mark.parametrize(
    "url",
    [
        *("/models", "file:///models", "models", "http://host/models", "S3://bucket", "s3://"),
        *("s3://b/a b", "s3://key:secret@bucket/a", "s3://bucket//a", "s3://bucket/a?b=c"),
    ],
)
def test_any_other_address_is_refused(url):
    with pytest.raises(ValidationError):
        Storage(url=url)


@pytest.mark.parametrize("name", ["", "Models", "a_b", "-a", "a..b", "a/b", "a" * 254])
def test_a_claim_is_named_as_kubernetes_names_it(name):
    with pytest.raises(ValidationError):
        Storage(claim_name=name)


@pytest.mark.parametrize(
    ("every", "is_allowed"), [("999ms", False), ("1000ms", True), ("1s", True)]
)
def test_checkpoints_are_at_least_a_second_apart(every, is_allowed):
    document = CLAIM | {"every": every}
    if is_allowed:
        assert Checkpoint.model_validate(document).every == timedelta(seconds=1)
    else:
        with pytest.raises(ValidationError, match="every: must be at least 1s"):
            Checkpoint.model_validate(document)


@pytest.mark.parametrize("wrong", [{"keep": 0}, {"keep": 101}, {"writers": "Workers"}, {"path": 1}])
def test_anything_else_is_refused(wrong):
    with pytest.raises(ValidationError):
        Checkpoint.model_validate(CLAIM | wrong)


@pytest.mark.parametrize(
    ("writers", "roles"), [("All", set(Role)), ("Evaluator", {Role.EVALUATOR})]
)
def test_who_saves_is_the_jobs_to_say(writers, roles):
    checkpoint = Checkpoint.model_validate(CLAIM | {"writers": writers})
    assert {role for role in Role if checkpoint.is_written_by(role)} == roles
