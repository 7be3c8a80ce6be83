"""What a page shows: frozen records between the runs' logs and the drawing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

Axis = Literal["seconds", "samples", "bytes"]
AXES: tuple[Axis, ...] = get_args(Axis)
Measure = Literal["number", "share"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """One curve.

    Attributes:
        label: its name in the legend.
        style: place in the palette; the same thing has the same style in all charts.
        x: where its points are: seconds since training began, samples of all workers, model bytes
            received per worker. Ascending.
        y: values; NaN where there is none.
        low: lower end of the range around it; None if it has no range.
        high: the upper end.

    """

    label: str
    style: int
    x: Mapping[Axis, Values]
    y: Values
    low: Values | None = None
    high: Values | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Several curves of one quantity.

    Attributes:
        title: what it shows.
        measure: a number above 0, or a share of 1, which is written in percent.
        series: the curves.
        target: what was to be reached; None if nothing was.

    """

    title: str
    measure: Measure
    series: tuple[Series, ...]
    target: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Charts under one heading."""

    title: str
    charts: tuple[Chart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Texts in rows; the first column names the row, the others are mostly numbers."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened to a worker.

    Attributes:
        kind: `joined`, `lost` or `left` (told to go).
        seconds: since training began.
        text: the same in words.

    """

    kind: Literal["joined", "lost", "left"]
    seconds: float
    text: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a worker's life with one pace.

    Attributes:
        begin: seconds since training began.
        end: likewise.
        level: 0 (slow) to 3 (as fast as the run's fast ones), or `LAGGING`.

    """

    begin: float
    end: float
    level: int


LAGGING = 4
LEVELS = 5


@dataclass(frozen=True, slots=True)
class Lane:
    """What a rank did over time, its lost processes and their replacements included.

    Attributes:
        name: such as `worker 3`.
        text: what its processes did in all, in words.
        stretches: in the order of time.
        marks: likewise.

    """

    name: str
    text: str
    stretches: tuple[Stretch, ...]
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Who with whom.

    Attributes:
        title: what is counted.
        rows: names of those who asked.
        columns: names of those who were asked.
        counts: by row and column.

    """

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """How one run went.

    Attributes:
        title: the run's name on the page.
        seconds: how long it trained.
        lanes: one per rank.
        matrices: who exchanged with whom.
        workers: what each process did.
        news: what people should not miss, with its time, in the order of time.
        job: the job document.

    """

    title: str
    seconds: float
    lanes: tuple[Lane, ...]
    matrices: tuple[Matrix, ...]
    workers: Table
    news: tuple[tuple[float, str], ...]
    job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """All of a page.

    Attributes:
        title: of the window and the page.
        lead: what came of it, one line each.
        facts: name and value of what matters most.
        warnings: what is missing or cut off.
        sections: charts.
        tables: results.
        stories: of the runs.

    """

    title: str
    lead: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()
    tables: tuple[Table, ...] = ()
    stories: tuple[Story, ...] = field(default=())
