"""Where the workers of a synchronous strategy meet, generation after generation.

The convention decides who meets; this brings it the others' stances and the roster, copies states,
and makes the group that the means go through.
"""

import logging
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import torch
from torch import Tensor
from torch.distributed import TCPStore  # type: ignore[attr-defined]  # conditional there

from gossip_api.names import Role, parse_member_name
from gossip_api.strategy import Strategy
from gossip_trainer.errors import CollectiveError, MembershipError
from gossip_trainer.membership.roster import Endpoint, Roster
from gossip_trainer.observability.event_log import EventSink
from gossip_trainer.observability.events import Reformed
from gossip_trainer.process.lobby import FORM_TIMEOUT, Lobby
from gossip_trainer.process.network import Network
from gossip_trainer.replica.memory import memory_of
from gossip_trainer.training.collective import Agreement, ring_bytes
from gossip_trainer.training.ending import Wishes
from gossip_trainer.training.full_state import FullState, decode_counts
from gossip_trainer.training.generation import Convention, Copy, Enter
from gossip_trainer.training.gloo_group import GlooGroup, open_store
from gossip_trainer.training.stance import Ballot
from gossip_trainer.transport.errors import TransportError
from gossip_trainer.transport.wire import Wanted

log: Final = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.05
ASKERS: Final = 8  # stances asked for at once
GIVEN_UP_SECONDS: Final = 2.0  # a member may be done with a mean, and ready for more, before others
STEP_TIMEOUT: Final = timedelta(seconds=60)
PERIOD_TIMEOUT: Final = timedelta(minutes=10)  # the slowest may be many local steps behind


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms workers meet.

    Attributes:
        num_first: how many the first group of all must have.
        num_least: how many every later one must have.
        timeout: the longest a collective may take.
        start_deadline: how long one that has never been in a group waits for that.

    """

    num_first: int
    num_least: int
    timeout: timedelta
    start_deadline: timedelta


def timeout_of(strategy: Strategy) -> timedelta:
    """Return how long a collective may take before a member counts as lost."""
    return STEP_TIMEOUT if strategy.all_reduce is not None else PERIOD_TIMEOUT


class Meetings:
    """One worker's way into the collectives.

    Args:
        lobby: what the others see of this worker.
        network: the ways to the others.
        terms: of the meetings.
        events: told of every group.
        has_model: whether the worker has a model to begin with, the seed's.
        on_met: told how many seconds a mean took from its beginning to its end, good or not.

    Attributes:
        size: of the newest group.
        donor: whose state the worker copied when it last did; empty if it never did.

    """

    def __init__(
        self,
        lobby: Lobby,
        network: Network,
        terms: Terms,
        events: EventSink,
        *,
        has_model: bool,
        on_met: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        self.size = 1
        self.donor = ""
        self._lobby = lobby
        self._network = network
        self._terms = terms
        self._events = events
        self._has_model = has_model
        self._on_met = on_met
        self._began = 0.0
        self._name = network.endpoint.name
        self._convention = Convention(
            self._name,
            time.time_ns(),
            num_first=terms.num_first,
            num_least=terms.num_least,
            patience=terms.timeout.total_seconds(),
        )
        self._control = torch.zeros(4, dtype=torch.int64)
        self._vector: Tensor | None = None
        self._group: GlooGroup | None = None
        self._roster: Roster | None = None
        self._asking: set[str] = set()
        self._askers = ThreadPoolExecutor(ASKERS, thread_name_prefix="ask")
        self._show()

    def form(self, state: FullState, is_over: Callable[[], bool]) -> Generator[float, None, bool]:
        """Meet a new group; see `Collective`."""
        self._drop()
        copied, since = "", time.monotonic()
        self._lobby.offer.give(state)
        self._be_ready(state)
        try:
            while not is_over():
                self._look()
                decision = self._convention.advance(time.monotonic())
                self._show()
                match decision:
                    case Copy(ballot):
                        copied = self._copy(ballot, state) or copied
                    case Enter(ballot):
                        self._lobby.offer.take_back()
                        if self._enter(ballot):
                            self._tell(ballot, copied)
                            return True
                        self._lobby.offer.give(state)
                        self._be_ready(state)
                    case None:
                        self._check_deadline(since)
                        self._ask()
                        yield POLL_SECONDS
        finally:
            self._lobby.offer.take_back()
        self.leave()
        return False

    def begin(self, vector: Tensor, *, samples: int, wishes: Wishes) -> None:
        """Start both all-reduces, the vector's and the counts', so that they run together."""
        assert self._group is not None
        self._look()
        self._control[0] = samples
        self._control[1] = int(wishes.stop)
        self._control[2] = int(wishes.leave or self._convention.is_awaited(time.monotonic()))
        self._control[3] = int(wishes.save)
        self._vector = vector
        self._began = time.perf_counter()
        self._group.begin(vector, self._control)

    def is_ready(self) -> bool:
        """Tell that `finish` may be called: it waits in the library."""
        return True

    def finish(self) -> Agreement:
        """Finish both."""
        assert self._vector is not None
        assert self._group is not None
        try:
            self._group.finish(self._find_lost)
        finally:
            self._on_met(time.perf_counter() - self._began)
        self._vector.div_(self.size)
        samples, stop, reform, save = self._control.tolist()
        return Agreement(samples, bool(stop), bool(reform), bool(save))

    def received_bytes(self, num_bytes: int) -> int:
        """Return what a ring brings every worker."""
        return round(ring_bytes(num_bytes, self.size))

    def leave(self) -> None:
        """Meet nobody any more."""
        self._drop()
        self._convention.leave()
        self._show()

    def close(self) -> None:
        """Leave, and ask nobody any more."""
        self.leave()
        self._askers.shutdown(wait=False, cancel_futures=True)

    def _be_ready(self, state: FullState) -> None:
        digest = state.digest() if self._has_model else ""
        self._convention.ready(state.counts().step, digest, time.monotonic())
        self._show()

    def _look(self) -> None:
        """Bring the convention what has come."""
        roster, now = self._network.roster(), time.monotonic()
        if roster is not self._roster:
            self._roster = roster
            self._convention.look_up(present_workers(roster))
        for name, stance in self._lobby.board.read().items():
            self._convention.hear(name, stance, now)

    def _show(self) -> None:
        self._lobby.board.write(self._convention.stance)

    def _ask(self) -> None:
        """Ask for stances, which come with every answer, beside this thread."""
        for name in self._convention.to_ask(time.monotonic()):
            endpoint = self._find(name)
            if endpoint is not None and name not in self._asking:
                self._asking.add(name)
                self._askers.submit(self._ask_one, endpoint)

    def _ask_one(self, endpoint: Endpoint) -> None:
        try:
            self._network.client.status(endpoint.address, expect=endpoint.name)
        except TransportError as error:
            # What came with it was taken in; what did not come at all will be missed.
            log.debug("%s does not tell how it stands: %s", endpoint.name, error)
        finally:
            self._asking.discard(endpoint.name)

    def _copy(self, ballot: Ballot, state: FullState) -> str:
        """Copy the donor's state; return its name, or nothing if it could not be had."""
        self._convention.copy()
        self._show()
        donor = self._find(ballot.donor)
        try:
            if donor is None:
                return ""
            packed = torch.empty(state.size, dtype=state.dtype)
            memory = memory_of(packed)
            header = self._network.client.pull(
                donor.address, memory, expect=donor.name, wanted=Wanted.FULL
            )
            state.restore(packed, decode_counts(header.extra))
        except (TransportError, CollectiveError) as error:
            log.warning("the state of %s could not be copied: %s", ballot.donor, error)
            time.sleep(POLL_SECONDS)
            return ""
        finally:
            self._be_ready(state)
        self._has_model = True
        self._be_ready(state)
        self.donor = ballot.donor
        return ballot.donor

    def _enter(self, ballot: Ballot) -> bool:
        """Meet the ballot's members; False if not all came."""
        self._convention.enter(ballot)
        self._show()
        if self._convention.gone():
            return False
        timeout = self._terms.timeout
        try:
            self._group = GlooGroup(
                self._store_of(ballot),
                f"{ballot.generation}/{ballot.proposer}",
                host=self._network.endpoint.host,
                position=ballot.members.index(self._name),
                size=len(ballot.members),
                timeout=timeout,
            )
        except CollectiveError as error:
            log.warning("generation %d did not come together: %s", ballot.generation, error)
            return False
        self.size = len(ballot.members)
        return True

    def _store_of(self, ballot: Ballot) -> TCPStore:
        if ballot.proposer == self._name:
            return self._lobby.store
        host = self._find(ballot.proposer)
        if host is None or not host.store_port:
            raise CollectiveError(f"{ballot.proposer}, which hosts the store, is not there")
        return open_store((host.host, host.store_port), FORM_TIMEOUT)

    def _find_lost(self, waited: float) -> str:
        self._look()
        if gone := self._convention.gone():
            return f"{', '.join(gone)} left"
        if waited >= GIVEN_UP_SECONDS and (given_up := self._convention.given_up()):
            return f"{', '.join(given_up)} gave up"
        return ""

    def _find(self, name: str) -> Endpoint | None:
        endpoints = self._network.roster().endpoints
        return next((each for each in endpoints if each.name == name), None)

    def _check_deadline(self, since: float) -> None:
        """Fail if the worker has waited too long for its first group; later ones only pause."""
        deadline = self._terms.start_deadline.total_seconds()
        if self._convention.stance.group is None and time.monotonic() - since > deadline:
            raise MembershipError(
                f"{self._name} found no group to meet within {self._terms.start_deadline}: at "
                f"least {self._terms.num_least} workers must be there and answer, one of them with "
                "a model to go on from; spec.runPolicy.startDeadline says how long to wait"
            )

    def _tell(self, ballot: Ballot, donor: str) -> None:
        ranks = tuple(parse_member_name(name).index for name in ballot.members)
        self._events.emit(
            Reformed(
                generation=ballot.generation,
                ranks=ranks,
                step=ballot.step,
                digest=ballot.digest,
                donor=donor,
            )
        )

    def _drop(self) -> None:
        if self._group is not None:
            self._group.drop()
            self._group = None


def present_workers(roster: Roster) -> list[str]:
    """Return the workers that are there, the newest of each rank, those that leave among them."""
    newest: dict[int, Endpoint] = {}
    for each in roster.endpoints:
        if each.role is Role.WORKER and (each.serving or not each.leaving):
            known = newest.get(each.rank)
            if known is None or known.incarnation < each.incarnation:
                newest[each.rank] = each
    return [each.name for each in newest.values()]
