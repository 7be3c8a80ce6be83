"""Carries out what an algorithm asks for, and brings it what comes of that.

Written once for the worker process and the simulator: where the worker has to wait, the methods
yield how many seconds at most, and whoever drives them comes back when there is news. A worker that
waits goes on taking in others' messages, so two that wait for each other both get on.
"""

import math
from collections.abc import Callable, Generator, Iterable
from datetime import timedelta

from torch import Tensor

from gossip_api.names import Role, parse_member_name
from gossip_trainer.algorithms.base import Algorithm
from gossip_trainer.algorithms.effects import (
    Answer,
    Average,
    Effects,
    Fetch,
    Hear,
    Loss,
    Party,
    Rank,
    Send,
    Shard,
    Skip,
    Wait,
)
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.errors import CollectiveError, MembershipError
from gossip_trainer.training.counters import Counters
from gossip_trainer.training.ending import Ending
from gossip_trainer.training.exchange import Arrived, Dispatch, Lost, Outcome
from gossip_trainer.training.links import Letter, Links
from gossip_trainer.training.observer import Observer

Waiting = Generator[float, None, None]
"""Yields how many seconds at most to wait for news; infinity where only news can help."""

UNTIL_NEWS = math.inf
EVERYBODY = "group"  # whom a lost mean was with


class EffectsUnderWay:
    """One worker's dealings with the others.

    Args:
        algorithm: asks, and is told.
        links: carry it out.
        counters: of the worker.
        ending: says when waiting is in vain, and takes in what meetings agree on.
        observer: told of losses, of models that came and of new views.
        clock: seconds; only differences count.
        patience: how long a worker waits for a server that is gone before it fails.

    Attributes:
        has_lost_meeting: whether a mean came to nothing, and its vector with it.

    """

    def __init__(
        self,
        algorithm: Algorithm,
        links: Links,
        counters: Counters,
        *,
        ending: Ending,
        observer: Observer,
        clock: Callable[[], float],
        patience: timedelta,
    ) -> None:
        self._algorithm = algorithm
        self._links = links
        self._counters = counters
        self._ending = ending
        self._observer = observer
        self._clock = clock
        self._patience = patience.total_seconds()
        self._open: set[Fetch | Send] = set()
        self._hearing: dict[Hear, float] = {}  # until when
        self._num_sends = 0
        self.has_lost_meeting = False
        self._is_to_reform = False

    @property
    def needs_group(self) -> bool:
        """Whether the workers that meet are to form a new group before they go on."""
        return self.has_lost_meeting or self._is_to_reform

    def has_group(self) -> None:
        """Note that they have."""
        self.has_lost_meeting = self._is_to_reform = False

    def carry_out(self, effects: Effects, x: Iterate) -> Waiting:
        """Begin all that is to be begun, then do the rest in order."""
        yield from self._begin([e for e in effects if isinstance(e, Fetch | Send)], x)
        for effect in effects:
            match effect:
                case Answer():
                    self._links.letters.answer(effect)
                case Average(vector):
                    self._meet(vector)
                case Skip():
                    self._counters.skipped += 1
                case Wait(Average() as average):
                    yield from self._finish_meeting(average, x)
                case Wait(Hear() as hear):
                    yield from self._hear(hear, x)
                case Wait(Fetch() | Send() as awaited):
                    yield from self._await(awaited, x)

    def deliver(self, x: Iterate) -> Waiting:
        """Bring the algorithm all that has come: outcomes, messages, a new view."""
        links, algorithm = self._links, self._algorithm
        while (outcome := links.exchange.collect()) is not None:
            yield from self.carry_out(self._take_in(outcome, x), x)
        while (letter := links.letters.collect()) is not None:
            effects = self._read(letter, x)
            links.letters.release(letter)
            yield from self.carry_out(effects, x)
        if links.peers.refresh(self._clock()):
            effects = algorithm.on_view(links.peers.view)
            self._observer.view_changed(links.peers.view)
            yield from self.carry_out(effects, x)

    def settle(self, x: Iterate, seconds: float) -> Waiting:
        """Wait at most so long for own messages under way, answering what comes meanwhile.

        A fetch is given up: nobody misses it.
        """
        end = self._clock() + seconds
        yield from self.deliver(x)
        while any(isinstance(effect, Send) for effect in self._open):
            if (left := end - self._clock()) <= 0:
                return
            yield left
            yield from self.deliver(x)

    def _begin(self, asked: Iterable[Fetch | Send], x: Iterate) -> Waiting:
        batch, absent = [], []
        for effect in asked:
            to = effect.peer if isinstance(effect, Fetch) else effect.to
            patient = isinstance(effect, Send) and effect.patient
            self._num_sends += isinstance(effect, Send)
            peer = self._links.peers.endpoint(to)
            if peer is None and not patient:
                absent.append(effect)
            else:
                batch.append(Dispatch(effect, self._num_sends, self._counters.steps, peer))
                self._open.add(effect)
        if batch:
            self._links.exchange.begin(batch)
        for effect in absent:
            yield from self.carry_out(self._algorithm.on_lost(effect, Loss.PEER, x), x)

    def _await(self, effect: Fetch | Send, x: Iterate) -> Waiting:
        """Wait for the end of `effect`, unless it was put aside or the job ends."""
        began = self._clock()
        while effect in self._open and self._links.exchange.busy and not self._gives_up():
            yield from self.deliver(x)
            if effect not in self._open:
                return
            if self._clock() - began > self._patience:
                raise MembershipError(
                    f"no answer to {effect.__class__.__name__} within {self._patience:g} s; "
                    "spec.runPolicy.startDeadline says how long to wait for a server"
                )
            yield UNTIL_NEWS

    def _hear(self, hear: Hear, x: Iterate) -> Waiting:
        self._hearing[hear] = self._clock() + hear.seconds
        while hear in self._hearing and not self._gives_up():
            yield from self.deliver(x)
            left = self._hearing.get(hear, 0.0) - self._clock()
            is_gone = self._links.peers.endpoint(hear.peer) is None
            if hear in self._hearing and (is_gone or left <= 0):
                del self._hearing[hear]
                reason = Loss.PEER if is_gone else Loss.DEADLINE
                yield from self.carry_out(self._algorithm.on_lost(hear, reason, x), x)
            elif hear in self._hearing:
                yield left

    def _meet(self, vector: Tensor) -> None:
        collective = self._links.collective
        assert collective is not None, "only strategies with a collective average"
        ending = self._ending
        wishes = ending.wishes(self._counters.steps)
        collective.begin(vector, samples=ending.samples_since_meeting, wishes=wishes)

    def _finish_meeting(self, average: Average, x: Iterate) -> Waiting:
        collective = self._links.collective
        assert collective is not None
        while not collective.is_ready():
            yield UNTIL_NEWS
        try:
            agreement = collective.finish()
        except CollectiveError as error:
            self.has_lost_meeting = True
            self._counters.lost += 1
            self._observer.exchange_lost(EVERYBODY, self._counters.steps, str(error))
            return
        self._ending.agree(agreement)
        self._is_to_reform = agreement.reform
        num_bytes = collective.received_bytes(average.vector.nbytes)
        self._counters.exchanges += 1
        self._counters.received_bytes += num_bytes
        self._counters.sent_bytes += num_bytes  # in a ring everybody passes on as much as it gets
        yield from self.carry_out(self._algorithm.on_averaged(average, x), x)

    def _take_in(self, outcome: Outcome, x: Iterate) -> Effects:
        self._open.discard(outcome.effect)
        if isinstance(outcome, Lost):
            return self._note_loss(outcome, x)
        counters, effect, message = self._counters, outcome.effect, outcome.message
        counters.exchanges += 1
        self._observer.exchanged(outcome.peer)
        if isinstance(effect, Send):
            counters.sent_bytes += effect.vector.nbytes
        if message is not None:
            counters.received_bytes += message.vector.nbytes
        if isinstance(effect, Fetch) and message is not None:
            self._note_age(message.step)
        self._note_peer(outcome)
        return self._algorithm.on_answer(effect, message, x)

    def _note_peer(self, arrived: Arrived) -> None:
        if arrived.finished:
            self._links.peers.finished(arrived.peer, self._clock())
        else:
            self._links.peers.answered(arrived.peer)

    def _note_loss(self, lost: Lost, x: Iterate) -> Effects:
        self._counters.lost += 1
        if lost.finished:
            self._links.peers.finished(lost.peer, self._clock())
        elif lost.suspect:
            self._links.peers.lost(lost.peer, self._clock())
        self._observer.exchange_lost(lost.peer, self._counters.steps, lost.reason)
        return self._algorithm.on_lost(lost.effect, Loss.PEER, x)

    def _read(self, letter: Letter, x: Iterate) -> Effects:
        sender, message, counters = party_of(letter.sender), letter.message, self._counters
        counters.heard += 1
        counters.received_bytes += message.vector.nbytes
        self._note_age(message.step)
        for hear in [h for h in self._hearing if h.peer == sender and h.key in message.scalars[:1]]:
            del self._hearing[hear]
        return self._algorithm.on_message(sender, message, x)

    def _note_age(self, step: int) -> None:
        age = self._counters.steps - step
        self._counters.staleness_sum += age
        self._counters.num_stale += 1
        self._observer.took_in(age)

    def _gives_up(self) -> bool:
        return self._ending.is_over(self._counters.steps)


def party_of(member: str) -> Party:
    """Return whom a member's name stands for."""
    parsed = parse_member_name(member)
    return Shard(parsed.index) if parsed.role is Role.SERVER else Rank(parsed.index)
