import pytest
from objects import raw_child

from gossip_operator.shell.inventory import Inventory
from gossip_operator.shell.projections import Key

KEY = Key("default", "digits")


@pytest.fixture
def changed():
    return []


@pytest.fixture
def inventory(changed):
    return Inventory(changed.append)


def test_children_are_known_by_kind_name_and_digest(inventory, changed):
    inventory.take("Service", raw_child("digits-peers", digest="d1"))
    assert inventory.applied(KEY, "job-1") == {("Service", "digits-peers"): "d1"}
    assert changed == [KEY]


def test_what_another_owner_has_is_not_the_jobs(inventory):
    inventory.take("Service", raw_child("digits-peers", owner="job-0"))
    inventory.take("ConfigMap", raw_child("digits-spec", owner=None))
    assert set(inventory.applied(KEY, "job-1").values()) == {None}


def test_an_object_without_the_label_is_filed_under_the_job_that_asked(inventory):
    stranger = raw_child("digits-spec", owner=None) | {"labels": {}}
    inventory.take("ConfigMap", stranger, KEY)
    assert inventory.applied(KEY, "job-1") == {("ConfigMap", "digits-spec"): None}


def test_the_secret_counts_as_credentials_and_not_as_applied(inventory):
    assert not inventory.has_credentials(KEY, "job-1")
    inventory.take("Secret", raw_child("digits-tls"))
    assert inventory.has_credentials(KEY, "job-1")
    assert not inventory.has_credentials(KEY, "job-2")
    assert inventory.applied(KEY, "job-1") == {}


def test_a_child_that_vanished_is_found_by_the_next_list_of_its_kind(inventory, changed):
    inventory.take("Service", raw_child("digits-peers", version=1))
    inventory.take("ConfigMap", raw_child("digits-spec", version=1))
    changed.clear()
    assert inventory.end_list("Service", None, set(), 5) == 1
    assert set(inventory.applied(KEY, "job-1")) == {("ConfigMap", "digits-spec")}
    assert changed == [KEY]


def test_a_child_that_took_anothers_place_stays_when_the_other_is_found_gone(inventory):
    inventory.take("Service", raw_child("digits-peers", uid="old", owner="job-0", version=1))
    inventory.take("Service", raw_child("digits-peers", uid="new", version=9))
    inventory.end_list("Service", None, set(), 5)
    assert inventory.applied(KEY, "job-1") == {("Service", "digits-peers"): "abc"}


def test_a_stranger_that_was_found_gone_makes_room(inventory):
    inventory.take("Service", raw_child("digits-peers", owner="job-0"))
    assert inventory.drop(inventory.find(KEY, "Service", "digits-peers"))
    assert inventory.applied(KEY, "job-1") == {}
