"""What follows when a process of a local run ends."""

import pytest

from gossip_api.names import Member, Role
from gossip_trainer.launch.exit_policy import MAX_REPLACEMENTS, Response, Situation, respond

KILLED = -9
WORKER = Member(Role.WORKER, 2, 0)
EVALUATOR = Member(Role.EVALUATOR, 0, 0)
SERVER = Member(Role.SERVER, 1, 0)


def situation(**changes):
    usual = {"workers_left": 3, "min_workers": 1, "replace_lost": False, "ending": False}
    return Situation(**{**usual, **changes})


def test_a_lost_worker_does_not_stop_the_others():
    assert respond(WORKER, KILLED, situation()) is Response.GO_ON


def test_fewer_workers_than_the_minimum_fail_the_run():
    assert respond(WORKER, KILLED, situation(min_workers=4)) is Response.FAIL


def test_a_lost_worker_is_replaced_if_asked():
    assert respond(WORKER, KILLED, situation(replace_lost=True)) is Response.REPLACE


def test_a_rank_is_not_replaced_for_ever():
    worn_out = Member(Role.WORKER, 2, MAX_REPLACEMENTS)
    assert respond(worn_out, KILLED, situation(replace_lost=True)) is Response.FAIL


def test_replacements_are_counted_from_the_processes_that_began_together():
    one = Member(Role.WORKER, 2, MAX_REPLACEMENTS + 3)
    assert respond(one, KILLED, situation(replace_lost=True, first=4)) is Response.REPLACE
    assert respond(one, KILLED, situation(replace_lost=True, first=3)) is Response.FAIL


def test_nobody_is_replaced_once_the_job_ends():
    ending = situation(replace_lost=True, ending=True, workers_left=1, min_workers=4)
    assert respond(WORKER, KILLED, ending) is Response.GO_ON


def test_the_last_workers_death_before_the_result_fails_the_run():
    assert respond(WORKER, KILLED, situation(ending=True, workers_left=0)) is Response.FAIL


def test_after_the_result_is_recorded_nothing_fails_the_run():
    after = situation(ending=True, concluded=True, workers_left=0)
    assert respond(WORKER, KILLED, after) is Response.GO_ON


def test_a_worker_that_ends_well_changes_nothing():
    assert respond(WORKER, 0, situation(replace_lost=True)) is Response.GO_ON


@pytest.mark.parametrize("member", [WORKER, SERVER, EVALUATOR])
def test_a_fault_of_the_job_itself_fails_the_run_at_once(member):
    assert respond(member, 64, situation(replace_lost=True)) is Response.FAIL


def test_the_evaluators_good_end_concludes_the_run():
    assert respond(EVALUATOR, 0, situation()) is Response.CONCLUDE


def test_a_lost_evaluator_is_replaced_even_at_the_end():
    assert respond(EVALUATOR, KILLED, situation(ending=True)) is Response.REPLACE


def test_without_workers_a_lost_evaluator_has_nothing_left_to_read():
    assert respond(EVALUATOR, KILLED, situation(workers_left=0)) is Response.FAIL


def test_a_lost_server_is_replaced_while_there_are_workers_it_can_begin_anew_from():
    assert respond(SERVER, KILLED, situation()) is Response.REPLACE
    assert respond(SERVER, KILLED, situation(ending=True)) is Response.REPLACE
    assert respond(SERVER, KILLED, situation(workers_left=0)) is Response.FAIL


def test_a_server_is_not_replaced_for_ever():
    worn_out = Member(Role.SERVER, 1, MAX_REPLACEMENTS)
    assert respond(worn_out, KILLED, situation()) is Response.FAIL


def test_a_server_that_ends_well_or_after_the_result_changes_nothing():
    assert respond(SERVER, 0, situation()) is Response.GO_ON
    assert respond(SERVER, KILLED, situation(concluded=True)) is Response.GO_ON
