"""What a worker begins with: the seed's model, another's, or what it saved itself."""

from dataclasses import dataclass
from typing import Any, Final

from gossip_trainer.membership.roster import Endpoint
from gossip_trainer.process.arrival import Wanted, arrive
from gossip_trainer.process.join import SEED, copy_the_others
from gossip_trainer.process.lobby import Lobby
from gossip_trainer.process.meeting import Meetings, Terms, timeout_of
from gossip_trainer.process.memory import Memory
from gossip_trainer.process.seat import Seat

NOBODY: Final = ""  # whose model a worker has that is to copy one
OWN: Final = "checkpoint"  # whose model one has that goes on from its own


@dataclass(frozen=True, slots=True)
class Start:
    """What a worker begins with.

    Attributes:
        model_from: whose model it has.
        step: of that model.
        saved: what it saved itself earlier, if it did.
        late: whether others have trained without it.

    """

    model_from: str
    step: int = 0
    saved: dict[str, Any] | None = None
    late: bool = False

    @property
    def is_own(self) -> bool:
        """Whether it goes on from its own state."""
        return self.model_from == OWN


def wait_for_the_others(seat: Seat) -> dict[int, Endpoint]:
    """Wait until enough workers are up, or the job turns out to have begun."""
    spec = seat.task.job.spec
    return arrive(
        seat.network,
        Wanted(max(seat.environment.start_with, spec.workers.min_replicas), spec.num_shards),
        spec.run_policy.start_deadline,
        late=seat.is_late,
    )


def find_start(seat: Seat, memory: Memory | None) -> Start:
    """Find what the worker begins with.

    While others train, one of them has the newest model. Where nobody does, the worker goes on from
    its own checkpoint, and only a job that nobody ever trained begins with the seed's model.
    """
    environment, task, network = seat.environment, seat.task, seat.network
    saved = None if memory is None else memory.recall()
    meets = task.job.spec.strategy.uses_collective
    late = seat.is_late()
    if saved is not None and (meets or not late):
        return Start(OWN, saved["worker"]["steps"], saved, late)
    was_trained = memory is not None and memory.is_job_known()
    from_seed = seat.is_first and not late and not was_trained
    if from_seed and environment.incarnation == 0:
        return Start(SEED)
    seat.standing.phase = "Joining"
    if meets:
        return Start(SEED if from_seed else NOBODY)  # those it meets have more to give than a model
    model_from, step = copy_the_others(
        network,
        task.model,
        num_shards=task.job.spec.num_shards,
        timeout=task.job.spec.run_policy.start_deadline,
        else_seed=from_seed,
    )
    return Start(model_from, step, saved, late)


def open_meetings(seat: Seat, lobby: Lobby, *, has_model: bool) -> Meetings:
    """Return where the worker meets the others."""
    spec = seat.task.job.spec
    least = spec.workers.min_replicas
    terms = Terms(
        num_first=max(seat.environment.start_with, least),
        num_least=least,
        timeout=timeout_of(spec.strategy),
        start_deadline=spec.run_policy.start_deadline,
    )
    return Meetings(
        lobby,
        seat.network,
        terms,
        seat.events,
        has_model=has_model,
        on_met=seat.metrics.exchange_ended,
    )
