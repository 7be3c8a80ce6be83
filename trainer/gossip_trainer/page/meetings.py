"""Who exchanged with whom, and with whom in vain. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gossip_api.names import Role, parse_member_name
from gossip_trainer.observability.events import ExchangeLost, Progress
from gossip_trainer.page.records import Matrix

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gossip_trainer.observability.events import Record

Place = tuple[str, int]  # role and rank or shard
Counts = dict[tuple[Place, Place], int]

MOST_NAMES = 48  # rows of a matrix; more ranks than that share rows

_ROLES = {Role.WORKER.value: 0, Role.SERVER.value: 1}


@dataclass(frozen=True, slots=True)
class Meetings:
    """Counts by who asked and who was asked, whatever their incarnations.

    Attributes:
        completed: fetches and messages that ended well.
        lost: those that came to nothing.

    """

    completed: Mapping[tuple[Place, Place], int]
    lost: Mapping[tuple[Place, Place], int]

    @classmethod
    def of(cls, records: Iterable[Record]) -> Meetings:
        """Count them."""
        completed: Counter[tuple[str, str]] = Counter()
        lost: Counter[tuple[str, str]] = Counter()
        for record in records:
            if isinstance(record, ExchangeLost):
                lost[record.source, record.peer] += 1
            elif isinstance(record, Progress):
                for peer, count in record.met.items():
                    completed[record.source, peer] += count
        return cls(_by_place(completed), _by_place(lost))

    def matrices(self) -> tuple[Matrix, ...]:
        """Return what there is to show, over the same rows and columns."""
        pairs = [*self.completed, *self.lost]
        rows = _blocks(asker for asker, _ in pairs)
        columns = _blocks(asked for _, asked in pairs)
        counted = (("exchanges completed", self.completed), ("exchanges lost", self.lost))
        return tuple(_matrix(title, counts, rows, columns) for title, counts in counted if counts)


def _by_place(counts: Mapping[tuple[str, str], int]) -> Counts:
    found: Counter[tuple[Place, Place]] = Counter()
    for (asker, asked), count in counts.items():
        pair = _place(asker), _place(asked)
        if pair[0] is not None and pair[1] is not None:
            found[pair[0], pair[1]] += count
    return found


def _place(name: str) -> Place | None:
    """Return who is meant by `worker-3-0` or, whatever the incarnation, `worker-3`."""
    for complete in (name, f"{name}-0"):
        try:
            member = parse_member_name(complete)
        except ValueError:
            continue
        return (member.role.value, member.index) if member.role.value in _ROLES else None
    return None  # everybody: a collective


def _blocks(places: Iterable[Place]) -> dict[Place, str]:
    """Name the row or column of every place; where there are many, neighbours share one."""
    known = sorted(set(places), key=lambda place: (_ROLES[place[0]], place[1]))
    width = max(1, -(-len(known) // MOST_NAMES))
    names: dict[Place, str] = {}
    for role in _ROLES:
        ours = [place for place in known if place[0] == role]
        for begin in range(0, len(ours), width):
            block = ours[begin : begin + width]
            first, last = block[0][1], block[-1][1]
            name = f"{role} {first}" if first == last else f"{role} {first} to {last}"
            names |= dict.fromkeys(block, name)
    return names


def _matrix(
    title: str,
    counts: Mapping[tuple[Place, Place], int],
    rows: Mapping[Place, str],
    columns: Mapping[Place, str],
) -> Matrix:
    row_names, column_names = (
        tuple(dict.fromkeys(rows.values())),
        tuple(dict.fromkeys(columns.values())),
    )
    total: Counter[tuple[str, str]] = Counter()
    for (asker, asked), count in counts.items():
        total[rows[asker], columns[asked]] += count
    return Matrix(
        title,
        row_names,
        column_names,
        tuple(tuple(total[row, column] for column in column_names) for row in row_names),
    )
