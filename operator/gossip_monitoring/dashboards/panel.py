"""What a dashboard is made of, before it becomes Grafana's JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

COLUMNS: Final = 24
"""Width of Grafana's grid."""
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Unit(StrEnum):
    """Grafana's names of the units in use."""

    NONE = "none"
    SHORT = "short"
    """A number, with K or M for thousands or millions."""
    SECONDS = "s"
    BYTES = "bytes"
    BYTES_PER_SECOND = "Bps"
    RATIO = "percentunit"
    REQUESTS_PER_SECOND = "reqps"
    MESSAGES_PER_SECOND = "mps"
    EVENTS_PER_SECOND = "eps"


@dataclass(frozen=True, slots=True)
class Query:
    """One question to Prometheus.

    Attributes:
        expr: in PromQL, with Grafana's variables.
        legend: what a series is called, with labels in double braces; in a table the column's head,
            and nothing for a column that is not shown.
        unit: of its column, where a table's differ.

    """

    expr: str
    legend: str = ""
    unit: Unit | None = None


@dataclass(frozen=True, slots=True)
class Lines:
    """Series over time.

    Attributes:
        stacked: one upon the other.
        bars: bars in place of lines, for what happens now and then.
        logarithmic: the scale.
        maximum: where the scale ends; without one it follows the data. Linear ones begin at 0.

    """

    stacked: bool = False
    bars: bool = False
    logarithmic: bool = False
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Number:
    """The newest values in large type.

    Attributes:
        red_above: a value that is bad news.
        states: words with their colours, which the values 0, 1, ... stand for.

    """

    red_above: float | None = None
    states: Mapping[str, str] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Which state something was in, and when; the values 0, 1, ... stand for `states`."""

    states: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """The newest values, a row for each combination of labels.

    Attributes:
        heads: heads of the columns that show labels.
        states: colours of words in any column.
        link: address behind the words in the column of the label `job_name`.

    """

    heads: Mapping[str, str]
    states: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    link: str = ""


@dataclass(frozen=True, slots=True)
class Heatmap:
    """A histogram over time; its query has `le` for a legend."""


@dataclass(frozen=True, slots=True)
class Curve:
    """The second query over the first, a line for each combination of labels.

    Attributes:
        x_title: what the first query is.
        x_unit: its unit.
        by: the labels that both have; a legend may use them.

    """

    x_title: str
    x_unit: Unit
    by: tuple[str, ...]


Look = Lines | Number | Timeline | Table | Heatmap | Curve


@dataclass(frozen=True, slots=True)
class Panel:
    """One rectangle.

    Attributes:
        title: what it shows, and per what.
        description: how to read it.
        unit: of its values.
        queries: at least one.
        look: how it shows them.
        width: in columns of the grid.
        height: in rows of the grid, of some 30 pixels.
        repeat: name of a variable, for each of whose values there is one such panel.

    """

    title: str
    description: str
    unit: Unit
    queries: tuple[Query, ...]
    look: Look = Lines()
    width: int = 8
    height: int = 8
    repeat: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under a heading; those of a collapsed one ask nothing until it is opened."""

    title: str
    panels: tuple[Panel, ...]
    collapsed: bool = False


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice at the dashboard's head.

    Attributes:
        name: by which queries use it.
        label: what people see.
        query: what Grafana asks for its values.
        several: more than one value may be chosen.
        everything: the regular expression that stands for all; without it, all is no choice.

    """

    name: str
    label: str
    query: str
    several: bool = False
    everything: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """Moments that are marked in every panel over time, where `expr` has a value.

    Attributes:
        name: of the switch at the dashboard's head.
        expr: in PromQL.
        title: with labels in double braces.
        colour: one of Grafana's.

    """

    name: str
    expr: str
    title: str
    colour: str


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One page.

    Attributes:
        uid: by which others link to it; never changes.
        title: its name in lists.
        description: what it is for.
        variables: choices; the datasource comes before them by itself.
        rows: from top to bottom.
        marks: events to mark.
        group: dashboards of one group have the same choices and hand them on to each other.

    """

    uid: str
    title: str
    description: str
    variables: tuple[Variable, ...]
    rows: tuple[Row, ...]
    marks: tuple[Mark, ...] = ()
    group: str = ""

    @property
    def panels(self) -> tuple[Panel, ...]:
        """All panels, whatever row they are in."""
        return tuple(panel for row in self.rows for panel in row.panels)
