"""A dashboard as the JSON that Grafana imports: the classic form, which every version reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from gossip_monitoring.dashboards.fields import Json, reference
from gossip_monitoring.dashboards.looks import shown
from gossip_monitoring.dashboards.panel import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gossip_monitoring.dashboards.panel import Dashboard, Mark, Panel, Row, Variable

TAG: Final = "gossip-training"
"""That all dashboards have; each links to the others by it. What is chosen is handed on only where
the choices are the same: all jobs would be no choice where single ones are asked for."""
SCHEMA_VERSION: Final = 39
"""Of Grafana 11, the first whose charts of one query over another read what is written here."""
_PLUGIN_VERSION: Final = "11.1.0"
_DATASOURCE: Final = {"type": "prometheus", "uid": "$datasource"}
_ROW_HEIGHT: Final = 1


def dashboard_json(dashboard: Dashboard) -> str:
    """Write the file."""
    return json.dumps(document(dashboard), indent=2) + "\n"


def document(dashboard: Dashboard) -> Json:
    """Return what the file holds."""
    return {
        "id": None,
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": [TAG, *([dashboard.group] if dashboard.group else [])],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,  # a cursor in all panels at once
        "timezone": "browser",
        "time": {"from": "now-1h", "to": "now"},
        "refresh": "30s",
        "links": _links(dashboard),
        "templating": {"list": [_datasource(), *map(_variable, dashboard.variables)]},
        "annotations": {"list": [_annotation(mark) for mark in dashboard.marks]},
        "panels": list(_placed(dashboard.rows)),
    }


def places(panels: Sequence[Panel], top: int) -> list[tuple[int, int]]:
    """Return column and line of each panel's upper left corner: from left to right, then below."""
    found: list[tuple[int, int]] = []
    left = height = 0
    for panel in panels:
        if left + panel.width > COLUMNS:
            top, left, height = top + height, 0, 0
        found.append((left, top))
        left, height = left + panel.width, max(height, panel.height)
    return found


def _placed(rows: Sequence[Row]) -> Iterator[Json]:
    number, top = 1, 0
    for row in rows:
        heading = {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": row.collapsed,
            "gridPos": {"x": 0, "y": top, "w": COLUMNS, "h": _ROW_HEIGHT},
        }
        corners = places(row.panels, top + _ROW_HEIGHT)
        panels = [
            _panel(panel, number + place, corner)
            for place, (panel, corner) in enumerate(zip(row.panels, corners, strict=True), start=1)
        ]
        yield heading | {"panels": panels if row.collapsed else []}
        if not row.collapsed:
            yield from panels
        number += 1 + len(panels)
        top += _ROW_HEIGHT
        if not row.collapsed:
            top = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)


def _panel(panel: Panel, number: int, corner: tuple[int, int]) -> Json:
    looks = shown(panel)
    left, top = corner
    repeat = {"repeat": panel.repeat, "repeatDirection": "h", "maxPerRow": 3}
    return {
        "id": number,
        "type": looks.type,
        "pluginVersion": _PLUGIN_VERSION,
        "title": panel.title,
        "description": panel.description,
        "datasource": _DATASOURCE,
        "gridPos": {"x": left, "y": top, "w": panel.width, "h": panel.height},
        "targets": [
            {
                "refId": reference(place),
                "datasource": _DATASOURCE,
                "expr": query.expr,
                "legendFormat": query.legend or "__auto",
                "editorMode": "code",
                **looks.query,
            }
            for place, query in enumerate(panel.queries)
        ],
        "fieldConfig": {
            "defaults": {"unit": panel.unit, **looks.defaults},
            "overrides": looks.overrides,
        },
        "options": looks.options,
        "transformations": looks.transformations,
        **(repeat if panel.repeat else {}),
    }


def _datasource() -> Json:
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "current": {},
        "hide": 0,
    }


def _variable(variable: Variable) -> Json:
    everything: dict[str, Any] = {"includeAll": False}
    if variable.everything:
        chosen = {"selected": True, "text": "All", "value": "$__all"}
        everything = {"includeAll": True, "allValue": variable.everything, "current": chosen}
    return {
        "name": variable.name,
        "label": variable.label,
        "type": "query",
        "datasource": _DATASOURCE,
        "definition": variable.query,
        "query": {"query": variable.query, "refId": "A"},
        "refresh": 2,  # whenever the time range changes
        "sort": 1,  # by the alphabet
        "multi": variable.several,
        "hide": 0,
        **everything,
    }


def _annotation(mark: Mark) -> Json:
    return {
        "name": mark.name,
        "datasource": _DATASOURCE,
        "enable": True,
        "expr": mark.expr,
        "titleFormat": mark.title,
        "iconColor": mark.colour,
        "step": "30s",
    }


def _links(dashboard: Dashboard) -> list[Json]:
    """Link to all dashboards in a list, and to those of the group with what is chosen here."""
    common = {"type": "dashboards", "keepTime": True}
    everywhere = {"title": "Gossip training", "tags": [TAG], "asDropdown": True}
    group = {"title": "", "tags": [dashboard.group], "asDropdown": False}
    found = [common | everywhere | {"includeVars": False}]
    if dashboard.group:
        found.append(common | group | {"includeVars": True})
    return found
