"""Names of processes and pods."""

import pytest

from gossip_api import names
from gossip_api.names import (
    JOB_NAME_MAX_LENGTH,
    Member,
    Role,
    member_name,
    parse_member_name,
    parse_pod_name,
    pod_name,
)


def test_a_member_is_named_by_role_index_and_incarnation():
    assert member_name(Role.WORKER, 3, 0) == "worker-3-0"
    assert Member(Role.EVALUATOR, 0, 2).name == "evaluator-0-2"


@pytest.mark.parametrize("role", Role)
def test_names_can_be_read_back(role):
    member = Member(role, 12, 3)
    assert parse_member_name(member.name) == member
    assert parse_pod_name("a-worker-1-1", pod_name("a-worker-1-1", role, 12, 3)) == member


@pytest.mark.parametrize(
    "name",
    ["", "worker-3", "worker-03-0", "worker--1-0", "boss-1-0", "worker-1-0\n", "xworker-1-0"],
)
def test_other_names_are_refused_with_an_example(name):
    with pytest.raises(ValueError, match="like worker-3-0"):
        parse_member_name(name)


def test_a_pod_of_another_job_is_refused():
    with pytest.raises(ValueError, match="must begin with 'b-'"):
        parse_pod_name("b", "a-worker-1-0")


@pytest.mark.parametrize("numbers", [(-1, 0), (0, -1)])
def test_negative_numbers_have_no_name(numbers):
    with pytest.raises(ValueError, match="0 or more"):
        member_name(Role.WORKER, *numbers)


def test_the_longest_job_name_leaves_room_for_a_pod_name():
    longest = pod_name("a" * JOB_NAME_MAX_LENGTH, Role.EVALUATOR, 99_999, 99_999)
    assert len(longest) <= 63


def test_the_api_version_is_group_and_version():
    assert f"{names.GROUP}/{names.VERSION}" == names.API_VERSION


def test_labels_belong_to_the_group():
    labels = [value for name, value in vars(names).items() if name.endswith("_LABEL")]
    assert len(labels) == 5
    assert all(label.startswith(f"{names.GROUP}/") for label in labels)
