import pytest

from gossip_api.names import Role
from gossip_trainer.evaluation.contacts import UNHEARD_SECONDS, Contacts
from gossip_trainer.membership.roster import Endpoint


def worker(rank):
    return Endpoint(Role.WORKER, rank, 0, "10.0.0.1", rank)


@pytest.fixture
def contacts():
    contacts = Contacts()
    contacts.due([worker(0), worker(1)], 10.0)
    return contacts


def test_a_new_worker_is_due_at_once(contacts):
    assert contacts.due([worker(0), worker(1), worker(2)], 10.0)[-1] == worker(2)


def test_a_worker_is_asked_again_when_it_is_due(contacts):
    contacts.known["worker-0-0"].due = 15.0
    assert contacts.due([worker(0), worker(1)], 14.9) == [worker(1)]
    assert contacts.due([worker(0), worker(1)], 15.0) == [worker(0), worker(1)]


def test_one_that_has_left_is_forgotten_and_not_waited_for(contacts):
    contacts.known["worker-0-0"].finished = True
    assert not contacts.all_finished(11.0)
    contacts.due([worker(0)], 11.0)
    assert contacts.all_finished(11.0)


def test_all_must_have_finished_or_have_been_silent_for_long(contacts):
    contacts.known["worker-0-0"].finished = True
    assert not contacts.all_finished(10.0 + UNHEARD_SECONDS)
    assert contacts.all_finished(10.1 + UNHEARD_SECONDS)


def test_silence_alone_is_no_end(contacts):
    assert not contacts.all_finished(1e9)
    assert not Contacts().all_finished(1e9)
