"""What holds of groups that are formed anew, whatever is lost, late, reordered or stopped."""

import random
from itertools import pairwise

from conventions import Hall
from hypothesis import given, settings
from hypothesis import strategies as st

QUIET_SECONDS = 60.0

faults = st.lists(
    st.tuples(
        st.floats(0.0, 20.0),
        st.sampled_from(["kill", "replace", "pause", "leave", "join"]),
        st.integers(0, 5),
        st.floats(0.1, 40.0),
    ),
    max_size=6,
)


def happen(hall, fault):
    """Let one fault happen; somebody is left who was in the newest group and has its model."""
    _, kind, rank, seconds = fault
    newest = max(w.convention.stance.generation for w in hall.alive)
    others = [
        worker
        for worker in hall.alive
        if hall.of(rank) is not worker
        and not worker.leaving
        and worker.digest
        and worker.convention.stance.generation == newest
    ]
    if kind == "pause":
        hall.pause(rank, seconds)
    if kind == "leave" and others:
        hall.leave(rank)
    if kind in {"kill", "replace"} and others:
        hall.kill(rank)
    if kind in {"join", "replace"} and hall.of(rank) is None:
        hall.add(rank)


def live(seed, workers, script, num_first=1):
    hall = Hall(random.Random(seed))
    for rank in range(workers):
        hall.add(rank, num_first=num_first, fresh=True)
    for fault in sorted(script):
        hall.run(fault[0] - hall.now)
        happen(hall, fault)
    hall.run(5.0)
    return hall


@given(st.integers(0, 2**32), st.integers(1, 5), faults, st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_no_generation_has_two_groups_and_no_two_groups_train_at_once(seed, workers, script, first):
    # Which asserts the latter, and that nobody enters with another step or digest.
    hall = live(seed, workers, script, min(first, workers))

    ballots = {ballot.generation: ballot for ballot in hall.entered}
    assert all(ballot == ballots[ballot.generation] for ballot in hall.entered)


@given(st.integers(0, 2**32), st.integers(1, 5), faults)
@settings(max_examples=60, deadline=None)
def test_under_quiet_all_who_are_left_train_in_one_group(seed, workers, script):
    hall = live(seed, workers, script)
    hall.loss, hall.delay = 0.0, 0.05
    hall.run(QUIET_SECONDS)

    left = {worker.name for worker in hall.alive}
    groups = [worker.group for worker in hall.alive]
    assert all(group is not None and set(group.members) == left for group in groups)
    assert hall.is_active(groups[0])


@given(st.integers(0, 2**32), st.integers(2, 5), faults)
@settings(max_examples=60, deadline=None)
def test_no_group_goes_back_behind_a_step_that_all_members_have_completed(seed, workers, script):
    hall = live(seed, workers, script)

    for earlier, later in pairwise(hall.entered):
        if earlier.generation < later.generation:
            assert later.step >= earlier.step
    training = [w for w in hall.alive if w.group is not None and hall.is_active(w.group)]
    assert all(worker.step >= hall.completed for worker in training)


@given(st.integers(0, 2**32), st.integers(3, 5))
@settings(max_examples=20, deadline=None)
def test_below_the_least_number_nobody_trains_until_enough_are_there(seed, workers):
    hall = Hall(random.Random(seed), num_least=workers)
    for rank in range(workers):
        hall.add(rank, num_first=workers, fresh=True)
    hall.run(5.0)
    hall.kill(1)
    hall.run(2.0)
    paused_at = hall.completed
    hall.run(30.0)
    assert hall.completed == paused_at
    hall.add(1)
    hall.run(20.0)
    assert hall.completed > paused_at
