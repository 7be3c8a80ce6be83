"""Grafana's JSON for panels that first merge the answers of their queries into one table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gossip_monitoring.dashboards.fields import (
    LEGEND,
    PALETTE,
    TOOLTIP,
    Json,
    Shown,
    coloured_words,
    newest,
    over_time,
    override,
    reference,
)

if TYPE_CHECKING:
    from gossip_monitoring.dashboards.panel import Curve, Panel, Table

_MERGED: Final = {"id": "merge", "options": {}}


def table(panel: Panel, look: Table) -> Shown:
    """Write a table: a column for each label, then one for each query that has a head."""
    # Grafana calls the values of an only query just so.
    columns = ["Value"] if len(panel.queries) == 1 else values_of(len(panel.queries))
    measured = list(zip(columns, panel.queries, strict=True))
    overrides = [
        override(column, displayName=query.legend, unit=query.unit)
        for column, query in measured
        if query.legend
    ]
    for label, head in look.heads.items():
        leads = look.link and label == "job_name"
        links = [{"title": "Look at the job", "url": look.link}] if leads else None
        overrides.append(override(label, displayName=head, links=links))
    unseen = ["Time", *(column for column, query in measured if not query.legend)]
    organized = {
        "excludeByName": dict.fromkeys(unseen, True),
        "indexByName": {column: place for place, column in enumerate([*look.heads, *columns])},
        "renameByName": {},
    }
    defaults = {
        "color": {"mode": "thresholds"},
        "thresholds": {"mode": "absolute", "steps": [{"color": "text", "value": None}]},
        "custom": {"align": "auto", "cellOptions": {"type": "color-text"}, "filterable": True},
        "mappings": coloured_words(look.states),
    }
    options = {"showHeader": True, "cellHeight": "sm"}
    transformations = [_MERGED, {"id": "organize", "options": organized}]
    return Shown("table", newest("table"), defaults, options, overrides, transformations)


def curve(panel: Panel, look: Curve) -> Shown:
    """Write a chart of the second query over the first: a table of both, cut up by labels."""
    x, y = values_of(2)
    legend = panel.queries[1].legend
    for label in look.by:
        legend = legend.replace(f"{{{{{label}}}}}", f"${{__field.labels.{label}}}")
    cut_up = {"fields": list(look.by), "naming": {"asLabels": True}}
    return Shown(
        "xychart",
        over_time("table"),
        {
            "color": PALETTE,
            "custom": {"show": "lines", "lineWidth": 1, "pointSize": {"fixed": 3}},
        },
        {
            "mapping": "auto",
            "series": [{"x": _column(x), "y": _column(y)}],
            "legend": LEGEND,
            "tooltip": TOOLTIP,
        },
        [
            override(x, unit=look.x_unit, **{"custom.axisLabel": look.x_title}),
            override(y, displayName=legend, **{"custom.axisLabel": panel.title}),
        ],
        [_MERGED, {"id": "partitionByValues", "options": cut_up}],
    )


def values_of(num_queries: int) -> list[str]:
    """Return what Grafana calls the columns of the values of several queries."""
    return [f"Value #{reference(number)}" for number in range(num_queries)]


def _column(name: str) -> Json:
    return {"matcher": {"id": "byName", "options": name}}
