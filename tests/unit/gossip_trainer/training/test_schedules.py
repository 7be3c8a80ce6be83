import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gossip_api.training import Optimizer, Schedule
from gossip_trainer.errors import RunError
from gossip_trainer.training.schedules import learning_rate

BASE = 0.4
OPTIMIZER = Optimizer(name="sgd", learning_rate=BASE)
epochs = st.floats(0, 200)
milestones = st.lists(st.floats(0.1, 100), min_size=1, max_size=4, unique=True).map(
    lambda values: tuple(sorted(values))
)
warmups = st.sampled_from([0.0, 0.5, 5.0])
schedules = st.one_of(
    st.builds(Schedule, name=st.just("constant"), warmup_epochs=warmups),
    st.builds(
        Schedule,
        name=st.just("step"),
        milestones=milestones,
        gamma=st.floats(0.01, 1.0),
        warmup_epochs=warmups,
    ),
    st.builds(
        Schedule,
        name=st.just("cosine"),
        epochs=st.none() | st.floats(0.1, 100),
        min_learning_rate=st.floats(0.0, BASE),
        warmup_epochs=warmups,
    ),
)
quick = settings(max_examples=100, deadline=None)


def rate(schedule, epoch, total=90.0):
    return learning_rate(OPTIMIZER, schedule, epoch, total_epochs=total)


@quick
@given(schedules, epochs)
def test_the_rate_is_never_negative_nor_above_the_optimizers(schedule, epoch):
    assert 0.0 <= rate(schedule, epoch) <= BASE * (1 + 1e-12)


@quick
@given(schedules, epochs)
def test_the_rate_is_positive_unless_the_job_asks_for_zero(schedule, epoch):
    begin = schedule.warmup_epochs > 0 and epoch / schedule.warmup_epochs < 1e-6
    end = schedule.name == "cosine" and schedule.min_learning_rate < 1e-6
    assert rate(schedule, epoch) > 0.0 or begin or end


@quick
@given(schedules, epochs, epochs)
def test_after_warm_up_the_rate_never_rises(schedule, one, other):
    early, late = sorted((one + schedule.warmup_epochs, other + schedule.warmup_epochs))
    assert rate(schedule, late) <= rate(schedule, early) * (1 + 1e-12)


@quick
@given(
    schedules.filter(lambda schedule: schedule.name != "step"),
    st.floats(0, 100),
    st.floats(0, 1e-3),
)
def test_a_rate_without_steps_is_continuous(schedule, epoch, further):
    slopes = [1 / schedule.warmup_epochs if schedule.warmup_epochs else 0.0]
    if schedule.name == "cosine":
        length = (schedule.epochs or 90.0) - schedule.warmup_epochs
        assume(length > 0.1)  # if warm-up is the longer one, it ends in a drop to the minimum
        slopes.append(1.6 / length)
    difference = abs(rate(schedule, epoch + further) - rate(schedule, epoch))
    assert difference <= BASE * max(slopes) * further * 1.01 + 1e-12


def test_a_constant_rate_is_the_optimizers():
    assert rate(Schedule(), 0.0) == rate(Schedule(), 1e6) == BASE


def test_a_step_takes_effect_exactly_at_its_milestone():
    schedule = Schedule(name="step", milestones=(30.0, 60.0), gamma=0.1)
    assert rate(schedule, 29.999) == BASE
    assert rate(schedule, 30.0) == pytest.approx(BASE * 0.1)
    assert rate(schedule, 59.999) == pytest.approx(BASE * 0.1)
    assert rate(schedule, 60.0) == pytest.approx(BASE * 0.01)


def test_a_cosine_falls_from_the_rate_to_the_minimum_over_the_budget_and_stays():
    schedule = Schedule(name="cosine", min_learning_rate=0.1)
    assert rate(schedule, 0.0) == BASE
    assert rate(schedule, 45.0) == pytest.approx((BASE + 0.1) / 2)
    assert rate(schedule, 90.0) == pytest.approx(0.1)
    assert rate(schedule, 95.0) == pytest.approx(0.1)


def test_a_cosines_own_length_goes_before_the_budgets():
    schedule = Schedule(name="cosine", epochs=10.0)
    assert rate(schedule, 5.0) == pytest.approx(BASE / 2)
    assert rate(schedule, 10.0) == pytest.approx(0.0)


def test_warm_up_rises_linearly_from_zero():
    schedule = Schedule(warmup_epochs=4.0)
    assert [rate(schedule, epoch) for epoch in (0.0, 1.0, 2.0, 4.0)] == [0.0, 0.1, 0.2, BASE]


def test_a_cosine_begins_where_warm_up_ends():
    schedule = Schedule(name="cosine", warmup_epochs=10.0)
    assert rate(schedule, 5.0) == pytest.approx(BASE / 2)
    assert rate(schedule, 10.0) == BASE
    assert rate(schedule, 50.0) == pytest.approx(BASE / 2)


def test_a_cosine_without_a_length_says_what_to_set():
    with pytest.raises(RunError, match=r"set spec\.training\.schedule\.epochs"):
        rate(Schedule(name="cosine"), 1.0, total=None)
