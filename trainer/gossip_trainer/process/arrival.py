"""How a process finds out whether it is early or late: whether the job has begun without it."""

import logging
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from gossip_api.environment import ProcessEnvironment
from gossip_trainer.errors import MembershipError
from gossip_trainer.membership.roster import Endpoint
from gossip_trainer.process.network import Network
from gossip_trainer.transport.errors import TransportError

log: Final = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.05
ASK_SECONDS: Final = 1.0  # how often the others are asked whether they have begun
MAX_ASKED: Final = 8  # of many workers: if the job has begun nearly all of them know


@dataclass(frozen=True, slots=True)
class Wanted:
    """What must be there before a job begins."""

    workers: int
    servers: int


def began_before(environment: ProcessEnvironment, name: str) -> bool:
    """Tell whether a process of this name began to train here before and was restarted in place."""
    return _mark(environment, name).exists()


def note_beginning(environment: ProcessEnvironment, name: str) -> None:
    """Leave behind, where processes are restarted in place, that one of this name has begun."""
    if is_restarted_in_place(environment):
        _mark(environment, name).touch()


def is_restarted_in_place(environment: ProcessEnvironment) -> bool:
    """Tell whether a process that fails is followed by one of the same name: in a container."""
    return environment.last_words is not None


def _mark(environment: ProcessEnvironment, name: str) -> Path:
    return environment.output / f".{name}.began"


def is_late(network: Network, since: float) -> bool:
    """Tell whether the job had begun before `since`, as far as is known.

    A process is late if others have trained without it: what it would begin with, the seed's
    model, is not theirs any more, and would pull them back.
    """
    return network.progress.began < since


def arrive(
    network: Network, wanted: Wanted, timeout: timedelta, *, late: Callable[[], bool]
) -> dict[int, Endpoint]:
    """Wait until enough others are up, or the job turns out to have begun already.

    Args:
        network: to find and ask the others.
        wanted: how many workers, the own one included, and servers are enough.
        timeout: how long to wait.
        late: tells, after the others were asked, whether the job has begun without this process.

    Returns:
        The workers that are up.

    Raises:
        MembershipError: fewer were there when the time was over.

    """
    deadline = time.monotonic() + timeout.total_seconds()
    next_question = 0.0
    while True:
        roster, now = network.roster(), time.monotonic()
        workers, servers = roster.workers(), roster.servers()
        are_enough = len(workers) >= wanted.workers and len(servers) >= wanted.servers
        if roster.endpoints and (are_enough or now >= next_question):
            ask_the_others(network, MAX_ASKED, until=lambda: math.isfinite(network.progress.began))
            next_question = time.monotonic() + ASK_SECONDS
            if are_enough or late():
                return workers
        if now > deadline:
            raise MembershipError(
                f"{len(workers)} of {wanted.workers} workers and {len(servers)} of "
                f"{wanted.servers} servers were up after {timeout}; "
                "spec.runPolicy.startDeadline sets how long to wait"
            )
        time.sleep(POLL_SECONDS)


def ask_the_others(
    network: Network, most: int, *, until: Callable[[], bool] = lambda: False
) -> None:
    """Exchange counters with at most so many workers; those that do not answer are passed over."""
    own = network.endpoint
    others = [worker for worker in network.roster().workers().values() if worker.name != own.name]
    for worker in random.sample(others, min(most, len(others))):
        try:
            network.client.status(worker.address, expect=worker.name)
        except TransportError as error:
            log.debug("%s does not tell how it stands: %s", worker.name, error)
        if until():
            return
