"""A traced run's event log as a script: what every algorithm was told, in order. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from gossip_api.names import Member, parse_member_name
from gossip_trainer.algorithms.view import View, make_view
from gossip_trainer.errors import RunError
from gossip_trainer.observability.events import Began, Called, Record

SEED = "seed"


class SnapshotKey(NamedTuple):
    """Which snapshot: a worker's last may be of the same step as the one before."""

    member: str
    step: int
    finished: bool = False


@dataclass(slots=True)
class Part:
    """One process's part.

    Attributes:
        member: whose.
        view: what it began with.
        model_from: `seed`, or the member whose model it copied.
        step: the step of that model.
        calls: all that came after.

    """

    member: Member
    view: View
    model_from: str = SEED
    step: int = 0
    calls: list[Called] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Script:
    """All parts, and how often each snapshot was read."""

    parts: dict[str, Part]
    readers: Counter[SnapshotKey]


def write_script(records: Iterable[Record]) -> Script:
    """Sort a log's records into parts.

    Raises:
        RunError: the log is not of a traced run.

    """
    calls: defaultdict[str, list[Called]] = defaultdict(list)
    began: dict[str, Began] = {}
    for record in records:
        if isinstance(record, Called):
            calls[record.source].append(record)
        elif isinstance(record, Began):
            began[record.source] = record
    if not calls:
        raise RunError("the run was not traced; run it with `gossip run --trace`")
    parts = {name: _part(name, told, began.get(name)) for name, told in calls.items()}
    return Script(parts, _readers(parts.values()))


def view_of(call: Called, version: int) -> View:
    """Return the view that a call tells of."""
    return make_view(version, dict(zip(call.ranks, call.incarnations, strict=True)))


def _part(name: str, calls: list[Called], began: Began | None) -> Part:
    part = Part(parse_member_name(name), view_of(calls[0], 0), calls=calls[1:])
    if began is not None:
        part.model_from, part.step = began.model_from, began.step
    return part


def _readers(parts: Iterable[Part]) -> Counter[SnapshotKey]:
    """Count who read which snapshot; an answer without a number is of a fetch."""
    readers: Counter[SnapshotKey] = Counter()
    for part in parts:
        if part.model_from != SEED:
            readers[SnapshotKey(part.model_from, part.step)] += 1
        for call in part.calls:
            if call.call == "answer" and not call.number:
                readers[SnapshotKey(call.peer, call.step, call.finished)] += 1
    return readers
