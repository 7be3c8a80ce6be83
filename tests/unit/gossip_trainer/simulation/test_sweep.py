import pytest

from gossip_trainer.errors import RunError
from gossip_trainer.simulation.sweep import available_processes, sweep


@pytest.fixture
def jobs(make_job):
    return [make_job(workers={"replicas": count}) for count in (2, 1, 3)]


@pytest.fixture
def watched():
    seen = []
    return lambda index, done: seen.append((index, done)), seen


def test_results_come_in_the_order_of_the_jobs(jobs, watched):
    watch, seen = watched
    results = sweep(jobs, watch, processes=1)
    assert [result.num_workers for result in results] == [2, 1, 3]
    assert [each for each in seen if each[1] == 1.0][-1] == (2, 1.0)


@pytest.mark.heavy
def test_processes_side_by_side_find_what_one_after_the_other_finds(jobs, watched):
    watch, seen = watched
    assert sweep(jobs, watch, processes=2) == sweep(jobs, lambda *_: None, processes=1)
    assert {index for index, done in seen if done == 1.0} == {0, 1, 2}


@pytest.mark.heavy
def test_an_error_in_a_process_is_the_errors_own(make_job):
    jobs = [make_job(), make_job(simulation=None)]
    with pytest.raises(RunError, match=r"spec\.simulation is missing"):
        sweep(jobs, lambda *_: None, processes=2)


def test_there_is_a_process_at_least():
    assert available_processes() >= 1
