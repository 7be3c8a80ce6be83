"""How workers agree on who meets: a pure state machine that knows neither sockets nor clocks.

Collectives need the same members everywhere, and the same state in all of them. So training goes in
generations. Whoever lost its group, or wants into one, says that it is ready, at which step and
with which digest. The lowest live rank proposes the next generation: its number, its members, the
step and digest of the most advanced of them. Who differs copies that one first; a member accepts at
most one ballot of a generation, and nobody enters before all have accepted.

There is nothing to send: everybody has one stance, replaced as a whole and numbered, which others
read. A stance that is lost, late, repeated or overtaken does no harm.

Two groups never go on from one. A member may be left out if it is gone from the roster or says that
it leaves. If it is merely silent, those that go on must be more than half of those of the newest
group that are still there, or half with the lowest rank among them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from gossip_api.names import parse_member_name
from gossip_trainer.training.stance import Ballot, Stage, Stance

SILENT_SECONDS = 5.0
STALLED_SECONDS = 10.0
FRESH_SECONDS = 0.5
AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Copy:
    """Copy the state of the ballot's donor, then be ready again."""

    ballot: Ballot


@dataclass(frozen=True, slots=True)
class Enter:
    """All members have accepted: meet them."""

    ballot: Ballot


class Convention:
    """One worker's part in it; told of what happens, asked what to do.

    Args:
        name: the own member's name.
        started: when this process began, in ns.
        num_first: how many members the first group of all must have.
        num_least: how many a later one must have.
        patience: seconds after which a member that still trains in a group that is lost does not
            hold up the next one any more.

    Attributes:
        stance: the own one.

    """

    def __init__(
        self, name: str, started: int, *, num_first: int, num_least: int, patience: float
    ) -> None:
        self._name = name
        self._num_first = num_first
        self._num_least = num_least
        self._patience = patience
        self._listed: frozenset[str] = frozenset({name})
        self._is_listed = False
        self._heard: dict[str, Stance] = {}
        self._heard_at: dict[str, float] = {}
        self._asked_at: dict[str, float] = {}
        self._unanswered: dict[str, float] = {}  # since when
        self._ready_at = 0.0
        self._proposed = 0  # the newest generation proposed here
        self._moved_at = 0.0  # when anything about the own proposal last changed
        self.stance = Stance(started, 0)

    # What happens.

    def ready(self, step: int, digest: str, now: float) -> None:
        """Want into a group, with this state; an empty digest is none."""
        if not self.stance.is_gathering:
            self._ready_at = now
            self._unanswered.clear()
        self._say(stage=Stage.READY, step=step, digest=digest)

    def copy(self) -> None:
        """Begin to copy another's state."""
        self._say(stage=Stage.COPYING)

    def leave(self) -> None:
        """Want into no group any more."""
        self._say(stage=Stage.LEAVING, accepted=None, proposal=None)

    def enter(self, ballot: Ballot) -> None:
        """Be in this group from now on."""
        self._say(stage=Stage.TRAINING, group=ballot, accepted=None, proposal=None)

    def hear(self, name: str, stance: Stance, now: float) -> None:
        """Take in another's stance; one that is older than what is known tells nothing."""
        known = self._heard.get(name)
        self._heard_at[name] = now
        self._unanswered.pop(name, None)
        if known is None or (known.started, known.number) < (stance.started, stance.number):
            self._heard[name] = stance
            self._moved_at = now

    def look_up(self, names: Iterable[str]) -> None:
        """Take in who is there, by the roster."""
        found = frozenset(names)
        self._is_listed = self._name in found
        self._listed = found | {self._name}
        for known in (self._heard_at, self._asked_at, self._unanswered):
            for name in known.keys() - self._listed:
                del known[name]

    # What follows.

    def advance(self, now: float) -> Copy | Enter | None:
        """Return what is to be done next; None if others are to be asked and waited for."""
        own = self.stance
        if own.stage is not Stage.READY:
            return None
        if own.accepted is not None and self._was_entered(own.accepted):
            return Enter(own.accepted)
        leader = self._leader(now)
        if leader != self._name:
            if own.proposal is not None:
                self._say(proposal=None)
            heard = self._heard.get(leader)
            return self._consider(None if heard is None else heard.proposal)
        if own.proposal is not None and not self._stands(own.proposal, now):
            self._say(proposal=None)
        if self.stance.proposal is None:
            self._propose(now)
        return self._consider(self.stance.proposal)

    def to_ask(self, now: float) -> tuple[str, ...]:
        """Return whom to ask for its stance now, and note that they were asked."""
        leader = self._leader(now)
        others = sorted(self._listed - {self._name}, key=_rank)
        if leader == self._name:
            wanted = [n for n in others if now - self._heard_at.get(n, -1e9) >= FRESH_SECONDS]
        else:
            wanted = [n for n in others if _rank(n) <= _rank(leader)]
        due = []
        for name in wanted:
            pause = 0.0 if leader in {name, self._name} else AGAIN_SECONDS
            if now - self._asked_at.get(name, -1e9) >= pause:
                self._asked_at[name] = now
                self._unanswered.setdefault(name, now)
                due.append(name)
        return tuple(due)

    def is_awaited(self, now: float) -> bool:
        """Tell whether somebody who is not in the own group wants into it."""
        return any(
            self._heard[name].is_gathering and now - at < AGAIN_SECONDS
            for name, at in self._heard_at.items()
            if name not in self._members and name in self._heard
        )

    def gone(self) -> tuple[str, ...]:
        """Return which members of the own group are no longer there."""
        return tuple(name for name in self._members if name not in self._listed)

    def given_up(self) -> tuple[str, ...]:
        """Return which members of the own group want into another one."""
        group = self.stance.group
        heard = {name: self._heard[name] for name in self._members if name in self._heard}
        return tuple(n for n, s in heard.items() if s.is_gathering and s.group == group)

    @property
    def _members(self) -> tuple[str, ...]:
        return () if self.stance.group is None else self.stance.group.members

    # The leader.

    def _leader(self, now: float) -> str:
        """Return the lowest rank that is there, answers, and does not leave."""
        stages = {name: stance.stage for name, stance in self._heard.items()}
        able = [
            name
            for name in self._listed
            if name == self._name
            or (
                not self._is_silent(name, now)
                and not self._is_stuck(name, now)
                and stages.get(name) not in {Stage.LEAVING, Stage.STARTING}
            )
        ]
        return min(able, key=_rank)

    def _propose(self, now: float) -> None:
        """Propose the next group, if there is one yet."""
        known = self._known()
        here = [n for n in self._listed if n == self._name or not self._is_silent(n, now)]
        members = sorted((n for n in here if self._is_ready(n)), key=_rank)
        if any(self._is_to_come(n, now) for n in here) or not self._may_go_on(members):
            return
        previous = self._newest_group()
        if len(members) < (self._num_first if previous is None else self._num_least):
            return
        able = [name for name in members if known[name].digest]
        if not able:
            return
        donor = max(able, key=lambda n: (known[n].generation, known[n].step, -_rank(n)[0]))
        seen = (max(stance.promised, stance.generation) for stance in known.values())
        ballot = Ballot(
            1 + max(self._proposed, *seen),
            tuple(members),
            known[donor].step,
            known[donor].digest,
            donor,
            self._name,
        )
        self._moved_at, self._proposed = now, ballot.generation
        self._say(proposal=ballot)

    def _stands(self, ballot: Ballot, now: float) -> bool:
        """Tell whether the own proposal may yet come to something."""
        known = self._known()
        busy = [known[name].stage is Stage.COPYING for name in ballot.members]
        donor = known[ballot.donor]
        return (
            all(self._may_still_enter(name, now) for name in ballot.members)
            # It may have trained on meanwhile, in a group that was formed without this worker.
            and (donor.step, donor.digest) == (ballot.step, ballot.digest)
            and ballot.generation >= self.stance.promised
            and (any(busy) or now - self._moved_at < STALLED_SECONDS)
        )

    def _may_still_enter(self, name: str, now: float) -> bool:
        if name == self._name:
            return True
        return (
            name in self._listed
            and self._heard[name].is_gathering
            and not self._is_silent(name, now)
        )

    def _is_to_come(self, name: str, now: float) -> bool:
        """Tell whether the next group waits for this one."""
        if name == self._name:
            return False
        heard = self._heard.get(name)
        if heard is None or self._heard_at.get(name, -1e9) < self._ready_at:
            return True  # it has been asked and may answer yet
        is_busy = heard.stage in {Stage.TRAINING, Stage.COPYING}
        return (is_busy or self._is_behind(heard)) and not self._is_stuck(name, now)

    def _may_go_on(self, members: list[str]) -> bool:
        """Tell whether no other group can go on from where these do."""
        previous = self._newest_group()
        if previous is None:
            # Nothing says who would be more than half: everybody has to be heard, and whoever
            # comes later has to find this worker in the roster.
            others = self._listed - {self._name}
            return self._is_listed and all(name in self._heard for name in others)
        still = [n for n in previous.members if n in members or not self._is_excused(n)]
        present = [n for n in still if n in members]
        if 2 * len(present) == len(still):
            return not still or still[0] in present
        return 2 * len(present) > len(still)

    def _is_excused(self, name: str) -> bool:
        heard = self._heard.get(name)
        return name not in self._listed or (heard is not None and heard.stage is Stage.LEAVING)

    # Everybody.

    def _consider(self, ballot: Ballot | None) -> Copy | Enter | None:
        """Accept a ballot, or say what it takes to."""
        own = self.stance
        if ballot is None or self._name not in ballot.members:
            return None
        if ballot.generation > own.promised:
            if (own.step, own.digest) != (ballot.step, ballot.digest):
                return Copy(ballot)
            self._say(promised=ballot.generation, accepted=ballot)
            own = self.stance
        if ballot.proposer != self._name or own.accepted != ballot:
            return None
        others = (n for n in ballot.members if n != self._name)
        return Enter(ballot) if all(self._heard[n].accepted == ballot for n in others) else None

    def _was_entered(self, ballot: Ballot) -> bool:
        return any(stance.group == ballot for stance in self._heard.values())

    def _is_ready(self, name: str) -> bool:
        """Tell whether it has said, since this worker is ready, that it is as well."""
        if name == self._name:
            return True
        heard = self._heard.get(name)
        if heard is None or self._heard_at.get(name, -1e9) < self._ready_at:
            return False
        return heard.stage is Stage.READY and not self._is_behind(heard)

    def _is_behind(self, heard: Stance) -> bool:
        """Tell whether it accepted a group that others have entered, and is about to as well."""
        return heard.accepted is not None and heard.accepted == self._newest_group()

    def _is_silent(self, name: str, now: float) -> bool:
        since = self._unanswered.get(name)
        return since is not None and now - since > SILENT_SECONDS

    def _is_stuck(self, name: str, now: float) -> bool:
        """Tell whether it still trains in a group that has been lost for too long."""
        heard = self._heard.get(name)
        is_training = heard is not None and heard.stage is Stage.TRAINING
        return is_training and now - self._ready_at > self._patience

    def _newest_group(self) -> Ballot | None:
        groups = [s.group for s in self._known().values() if s.group is not None]
        return max(groups, key=lambda group: group.generation, default=None)

    def _known(self) -> dict[str, Stance]:
        return self._heard | {self._name: self.stance}

    def _say(self, **changes: object) -> None:
        number = self.stance.number + 1
        self.stance = msgspec.structs.replace(self.stance, number=number, **changes)


def _rank(name: str) -> tuple[int, int]:
    member = parse_member_name(name)
    return (member.index, member.incarnation)
