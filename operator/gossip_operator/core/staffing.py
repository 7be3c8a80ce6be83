"""Who comes and who goes: the pods that a running job lacks, and those it has too many of."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, islice
from statistics import median
from typing import TYPE_CHECKING

from gossip_api.names import Member, Role
from gossip_operator.core.actions import DeletePod
from gossip_operator.core.fate import Fate
from gossip_operator.core.places import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gossip_operator.core.observed import PodView, Report
    from gossip_operator.core.places import Key

TERMINAL = frozenset({"Succeeded", "Failed"})
SIDECAR_SECONDS = 20.0
"""How long the sidecars of a trainer that is done may take to end by themselves."""
MAX_CREATED = 200
"""So many pods are created before the job is looked at anew."""
BUSY_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Demand:
    """What the job asks for.

    Attributes:
        workers: how many.
        servers: how many.
        limit: failures in a row after which a place is given up.
        ending: the job's stop record is set: no worker is replaced any more.

    """

    workers: int
    servers: int
    limit: int
    ending: bool = False


@dataclass(frozen=True, slots=True)
class Staffing:
    """Who comes and goes.

    Attributes:
        create: whose pods to create now, in this order.
        delete: the pods to delete.
        next_at: when the next place may be taken, if one is kept free for a while.

    """

    create: tuple[Member, ...] = ()
    delete: tuple[DeletePod, ...] = ()
    next_at: float | None = None


def staff(
    places: Mapping[Key, Place], demand: Demand, reports: Mapping[str, Report], now: float
) -> Staffing:
    """Decide who is created and who is deleted while the job runs."""
    workers = _workers(places)
    wanted = _of_role(places, Role.EVALUATOR, 1)
    if not demand.ending or any(place.is_taken for place in workers):
        # A centre that is lost at the end can be made anew as long as there is a worker.
        wanted += _of_role(places, Role.SERVER, demand.servers)
    if not demand.ending:
        wanted += _missing_workers(places, demand)
    open_places = [place for place in wanted if place.is_open(demand.limit)]
    free = [place.next for place in open_places if place.free_at <= now]
    later = [place.free_at for place in open_places if place.free_at > now]
    if len(free) > MAX_CREATED:
        later.append(now + BUSY_SECONDS)
    later += [at for place in places.values() if (at := _ends_at(place)) is not None and at > now]
    return Staffing(
        create=tuple(free[:MAX_CREATED]),
        delete=(*_useless(places.values(), now), *_victims(workers, demand, reports)),
        next_at=min(later, default=None),
    )


def wanted_places(places: Mapping[Key, Place], demand: Demand) -> list[Place]:
    """Return the places that the job has or should have, those it has shrunk from left out."""
    workers = [place for place in _workers(places) if not place.is_open(demand.limit)]
    missing = [place for place in _missing_workers(places, demand) if place.incarnation >= 0]
    return [
        *_of_role(places, Role.EVALUATOR, 1),
        *_of_role(places, Role.SERVER, demand.servers),
        *sorted([*workers, *missing], key=lambda place: place.index),
    ]


def count_possible(places: Mapping[Key, Place], demand: Demand) -> int:
    """Count the workers that are there or can still be had."""
    return _count_held(places) + _count_missing(places, demand)


def _workers(places: Mapping[Key, Place]) -> list[Place]:
    return [place for place in places.values() if place.role is Role.WORKER]


def _of_role(places: Mapping[Key, Place], role: Role, number: int) -> list[Place]:
    return [places.get((role, index)) or Place(role, index) for index in range(number)]


def _count_held(places: Mapping[Key, Place]) -> int:
    return sum(place.is_taken or place.finished for place in _workers(places))


def _count_missing(places: Mapping[Key, Place], demand: Demand) -> int:
    """Count the workers to be had: nobody comes in place of one that was given up."""
    given_up = sum(place.is_given_up(demand.limit) for place in _workers(places))
    return max(0, demand.workers - _count_held(places) - given_up)


def _missing_workers(places: Mapping[Key, Place], demand: Demand) -> list[Place]:
    """Return the lowest ranks that somebody may take, as many as are missing."""
    closed = {place.index for place in _workers(places) if not place.is_open(demand.limit)}
    free = (index for index in count() if index not in closed)
    return [
        places.get((Role.WORKER, index)) or Place(Role.WORKER, index)
        for index in islice(free, _count_missing(places, demand))
    ]


def _victims(
    workers: Sequence[Place], demand: Demand, reports: Mapping[str, Report]
) -> tuple[DeletePod, ...]:
    """Choose who leaves when there are too many: the least useful first."""
    if demand.ending:
        return ()
    pods = [place.pod for place in workers if place.is_taken and place.pod is not None]
    surplus = len(pods) + sum(place.finished for place in workers) - demand.workers
    if surplus <= 0:
        return ()
    steps = {pod.name: reports[pod.name].status.step for pod in pods if pod.name in reports}
    # Only some are asked how far they are; of the others nothing bad is known.
    usual = median(steps.values()) if steps else 0.0

    def usefulness(pod: PodView) -> tuple[bool, bool, float, int]:
        return (pod.ready, bool(pod.node), steps.get(pod.name, usual), -pod.member.index)

    victims = sorted(pods, key=usefulness)[:surplus]
    return tuple(DeletePod(pod.name, pod.uid, "scaled down") for pod in victims)


def _ends_at(place: Place) -> float | None:
    """Return when a pod is ended whose trainer is done but whose sidecars are not."""
    pod = place.pod
    if pod is None or pod.phase in TERMINAL or pod.deleted is not None or not place.recorded:
        return None
    return (place.verdict.at or pod.created) + SIDECAR_SECONDS


def _useless(places: Iterable[Place], now: float) -> list[DeletePod]:
    """Return the pods that no longer count: replaced, failed, or done but for their sidecars."""
    return [
        DeletePod(pod.name, pod.uid, why)
        for place in places
        for pod, why in _useless_of(place, now)
        if pod.deleted is None and pod.member.incarnation not in place.uncounted
    ]


def _useless_of(place: Place, now: float) -> Iterator[tuple[PodView, str]]:
    dead = [pod for pod in place.older if pod.phase in TERMINAL]
    for pod in dead[:-1]:  # the newest of the dead stays, for its logs
        yield pod, "an old incarnation"
    for pod in place.older:
        if pod.phase not in TERMINAL:
            yield pod, "replaced"
    current = place.pod
    if current is None or current.phase in TERMINAL:
        return
    if place.recorded:
        ends_at = _ends_at(place)
        if ends_at is not None and ends_at <= now:
            yield current, "done"
    elif place.is_vacant and place.verdict.fate is not Fate.DISRUPTED:
        # One that was disrupted stays until somebody has its place: its node may come back.
        yield current, place.verdict.reason


def everyone(pods: Iterable[PodView], *, dead_too: bool, why: str) -> tuple[DeletePod, ...]:
    """Delete all pods that nobody has deleted yet; those that have ended only if `dead_too`."""
    return tuple(
        DeletePod(pod.name, pod.uid, why)
        for pod in pods
        if pod.deleted is None and (dead_too or pod.phase not in TERMINAL)
    )
