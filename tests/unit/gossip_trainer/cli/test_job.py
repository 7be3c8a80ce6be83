import pytest

from gossip_api.errors import InvalidJob
from gossip_trainer.cli.job import load


def test_the_number_of_workers_replaces_the_jobs(job_file):
    assert load(job_file, (), workers=5).spec.workers.replicas == 5


def test_fewer_workers_than_the_job_needs_lower_that_need(job_file):
    workers = load(job_file, (), workers=2).spec.workers

    assert (workers.replicas, workers.min_replicas) == (2, 2)


def test_enough_workers_leave_the_need_as_it_is(job_file):
    assert load(job_file, (), workers=4).spec.workers.min_replicas == 4


def test_the_number_of_workers_goes_before_a_set_value(job_file):
    assert load(job_file, ["workers.replicas=6"], workers=7).spec.workers.replicas == 7


def test_an_invalid_job_is_told_of_before_workers_are_counted(job_file):
    with pytest.raises(InvalidJob) as error:
        load(job_file, ["training.batchSize=0"], workers=2)

    assert len(error.value.problems) == 1
