"""How one worker's part in agreeing on groups goes, stance by stance."""

import msgspec
import pytest

from gossip_trainer.training.generation import (
    SILENT_SECONDS,
    STALLED_SECONDS,
    Convention,
    Copy,
    Enter,
)
from gossip_trainer.training.stance import Ballot, Stage, Stance

NAMES = ("worker-0-0", "worker-1-0", "worker-2-0")
GROUP = Ballot(4, NAMES, 10, "ten", "worker-0-0", "worker-0-0")


def convention(rank=0, *, first=1, least=1, group=None, step=12, digest="twelve", listed=NAMES):
    made = Convention(f"worker-{rank}-0", 1, num_first=first, num_least=least, patience=60.0)
    made.look_up(listed)
    if group is not None:
        made.enter(group)
    made.ready(step, digest, now=0.0)
    return made


def stance(stage=Stage.READY, number=1, step=12, digest="twelve", **more):
    return Stance(1, number, stage, step=step, digest=digest, **more)


def hear_all(made, now=1.0, **more):
    for name in NAMES:
        if name != made._name:
            made.hear(name, stance(**more), now)


def test_the_lowest_rank_proposes_and_accepts_once_it_has_heard_everybody():
    made = convention(group=GROUP)
    made.hear("worker-1-0", stance(group=GROUP), 1.0)
    assert made.advance(1.0) is None
    assert made.stance.proposal is None
    made.hear("worker-2-0", stance(group=GROUP), 1.0)
    assert made.advance(1.0) is None
    ballot = made.stance.proposal
    assert ballot == Ballot(5, NAMES, 12, "twelve", "worker-0-0", "worker-0-0")
    assert made.stance.accepted == ballot


def test_nobody_enters_before_all_have_accepted():
    made = convention(group=GROUP)
    hear_all(made, group=GROUP)
    made.advance(1.0)
    ballot = made.stance.proposal
    made.hear("worker-1-0", stance(number=2, group=GROUP, accepted=ballot), 2.0)
    assert made.advance(2.0) is None
    made.hear("worker-2-0", stance(number=2, group=GROUP, accepted=ballot), 2.0)
    assert made.advance(2.0) == Enter(ballot)


def test_a_follower_enters_once_it_hears_that_the_leader_has():
    made = convention(rank=1, group=GROUP)
    ballot = Ballot(5, NAMES, 12, "twelve", "worker-0-0", "worker-0-0")
    made.hear("worker-0-0", stance(group=GROUP, proposal=ballot), 1.0)
    assert made.advance(1.0) is None
    assert made.stance.accepted == ballot
    made.hear("worker-0-0", stance(Stage.TRAINING, number=2, group=ballot), 2.0)
    assert made.advance(2.0) == Enter(ballot)


@pytest.mark.parametrize(("step", "digest"), [(11, "eleven"), (12, "another"), (0, "")])
def test_who_stands_elsewhere_copies_the_donor_before_it_accepts(step, digest):
    made = convention(rank=1, group=GROUP, step=step, digest=digest)
    ballot = Ballot(5, NAMES, 12, "twelve", "worker-2-0", "worker-0-0")
    made.hear("worker-0-0", stance(group=GROUP, proposal=ballot), 1.0)
    assert made.advance(1.0) == Copy(ballot)
    assert made.stance.accepted is None
    made.ready(12, "twelve", 2.0)
    assert made.advance(2.0) is None
    assert made.stance.accepted == ballot


def test_of_one_generation_only_one_ballot_is_accepted():
    made = convention(rank=1, group=GROUP)
    first = Ballot(5, NAMES, 12, "twelve", "worker-0-0", "worker-0-0")
    made.hear("worker-0-0", stance(group=GROUP, proposal=first), 1.0)
    made.advance(1.0)
    second = Ballot(5, NAMES[:2], 12, "twelve", "worker-0-0", "worker-0-0")
    made.hear("worker-0-0", stance(number=2, group=GROUP, proposal=second), 2.0)
    made.advance(2.0)
    assert made.stance.accepted == first
    later = msgspec.structs.replace(second, generation=6)
    made.hear("worker-0-0", stance(number=3, group=GROUP, proposal=later), 3.0)
    made.advance(3.0)
    assert made.stance.accepted == later


def test_the_most_advanced_of_the_newest_group_is_the_donor():
    made = convention(group=GROUP, step=11, digest="eleven")
    made.hear("worker-1-0", stance(group=GROUP, step=12), 1.0)
    made.hear("worker-2-0", stance(step=900, digest="of an older group"), 1.0)
    assert made.advance(1.0) == Copy(made.stance.proposal)
    assert made.stance.proposal.donor == "worker-1-0"
    assert (made.stance.proposal.step, made.stance.proposal.digest) == (12, "twelve")


def test_who_is_gone_from_the_roster_is_left_out_even_if_it_is_the_most():
    made = convention(group=GROUP, listed=NAMES[:1])
    made.advance(1.0)
    assert made.stance.proposal.members == ("worker-0-0",)


def silent_but_for(made, *names):
    """Let a worker ask in vain until all but `names` are silent; return the time."""
    now = 0.0
    while now < SILENT_SECONDS + 2.0:
        now += 0.25
        made.to_ask(now)
        for name in names:
            made.hear(name, stance(number=1, group=GROUP), now)
        made.advance(now)
    return now


def test_one_of_three_that_is_silent_is_left_out_after_a_while():
    made = convention(group=GROUP)
    made.hear("worker-1-0", stance(group=GROUP), 1.0)
    made.advance(1.0)
    assert made.stance.proposal is None
    silent_but_for(made, "worker-1-0")
    assert made.stance.proposal.members == ("worker-0-0", "worker-1-0")


def test_one_of_three_that_hears_nobody_does_not_go_on_alone():
    made = convention(group=GROUP)
    silent_but_for(made)
    assert made.stance.proposal is None


@pytest.mark.parametrize(("rank", "goes_on"), [(0, True), (1, False)])
def test_of_two_that_do_not_hear_each_other_the_lower_rank_goes_on(rank, goes_on):
    pair = Ballot(4, NAMES[:2], 10, "ten", "worker-0-0", "worker-0-0")
    made = convention(rank=rank, group=pair, listed=NAMES[:2])
    silent_but_for(made)
    assert (made.stance.proposal is not None) == goes_on


def test_the_first_group_of_all_waits_until_everybody_listed_was_heard():
    made = convention()
    made.hear("worker-1-0", stance(), 1.0)
    silent_but_for(made, "worker-1-0")
    assert made.stance.proposal is None


def test_who_is_not_in_the_roster_itself_begins_nothing():
    made = convention(listed=())
    made.advance(1.0)
    assert made.stance.proposal is None
    made.look_up(NAMES[:1])
    made.advance(2.0)
    assert made.stance.proposal is not None


@pytest.mark.parametrize(("group", "first", "least"), [(None, 4, 1), (GROUP, 1, 4)])
def test_fewer_than_there_must_be_wait(group, first, least):
    made = convention(group=group, first=first, least=least)
    hear_all(made, group=group)
    made.advance(1.0)
    assert made.stance.proposal is None
    made.look_up((*NAMES, "worker-3-0"))
    made.hear("worker-3-0", stance(step=0, digest=""), 2.0)
    made.advance(2.0)
    assert len(made.stance.proposal.members) == 4


def test_where_nobody_has_a_model_nothing_begins():
    made = convention(step=0, digest="")
    hear_all(made, step=0, digest="")
    made.advance(1.0)
    assert made.stance.proposal is None


def test_a_proposal_that_comes_to_nothing_is_followed_by_one_of_a_later_generation():
    made = convention(group=GROUP)
    hear_all(made, group=GROUP)
    made.advance(1.0)
    assert made.stance.proposal.generation == 5
    later = 1.0 + STALLED_SECONDS + 0.1
    hear_all(made, now=later, group=GROUP)  # who repeat themselves and do not accept
    made.advance(later)
    assert made.stance.proposal.generation == 6


def test_a_proposal_does_not_outlive_the_state_that_it_names():
    # The donor entered another group and trained on, and only its next readiness was heard.
    made = convention(step=0, digest="")
    hear_all(made, group=GROUP)
    made.advance(1.0)
    assert made.stance.proposal.step == 12
    hear_all(made, now=2.0, number=2, step=40, digest="forty", group=GROUP)
    made.advance(2.0)
    assert (made.stance.proposal.step, made.stance.proposal.generation) == (40, 6)


def test_what_was_heard_before_this_worker_lost_its_group_does_not_make_anybody_ready():
    made = convention()
    hear_all(made, now=1.0)
    made.enter(GROUP)
    made.ready(12, "twelve", now=2.0)
    made.advance(2.0)
    assert made.stance.proposal is None
    hear_all(made, now=3.0, number=2, group=GROUP)
    made.advance(3.0)
    assert made.stance.proposal is not None


def test_a_stance_that_was_overtaken_tells_nothing():
    made = convention(rank=1, group=GROUP)
    ballot = Ballot(5, NAMES, 12, "twelve", "worker-0-0", "worker-0-0")
    made.hear("worker-0-0", stance(number=7, group=GROUP), 1.0)
    made.hear("worker-0-0", stance(number=6, group=GROUP, proposal=ballot), 1.1)
    made.advance(1.2)
    assert made.stance.accepted is None


def test_a_newcomer_is_awaited_as_long_as_it_says_so():
    made = convention()
    made.enter(GROUP)
    made.look_up((*NAMES, "worker-3-0"))
    made.hear("worker-3-0", stance(step=0, digest=""), 5.0)
    assert made.is_awaited(5.1)
    assert not made.is_awaited(9.0)
    made.hear("worker-1-0", stance(group=GROUP), 9.0)
    assert not made.is_awaited(9.0)


def test_members_that_left_the_roster_and_members_that_gave_the_group_up_are_told_apart():
    made = convention()
    made.enter(GROUP)
    made.look_up(("worker-0-0", "worker-1-0"))
    made.hear("worker-1-0", stance(group=GROUP), 1.0)
    assert (made.gone(), made.given_up()) == (("worker-2-0",), ("worker-1-0",))


def test_who_leaves_neither_leads_nor_is_waited_for():
    made = convention(rank=1, group=GROUP)
    made.hear("worker-0-0", stance(Stage.LEAVING), 1.0)
    made.hear("worker-2-0", stance(group=GROUP), 1.0)
    made.advance(1.0)
    assert made.stance.proposal.members == ("worker-1-0", "worker-2-0")
