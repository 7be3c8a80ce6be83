"""Grafana's JSON for the ways in which panels show their queries."""

from __future__ import annotations

from gossip_monitoring.dashboards.fields import (
    LEGEND,
    PALETTE,
    TOOLTIP,
    Json,
    Shown,
    newest,
    numbered_words,
    over_time,
)
from gossip_monitoring.dashboards.merged import curve, table
from gossip_monitoring.dashboards.panel import Curve, Heatmap, Lines, Number, Panel, Table, Timeline


def shown(panel: Panel) -> Shown:
    """Write what makes a panel look as it shall."""
    match panel.look:
        case Lines():
            return _lines(panel.look)
        case Number():
            return _number(panel.look)
        case Timeline():
            return _timeline(panel.look)
        case Table():
            return table(panel, panel.look)
        case Heatmap():
            return _heatmap(panel)
        case Curve():
            return curve(panel, panel.look)


def _lines(look: Lines) -> Shown:
    custom = {
        "drawStyle": "bars" if look.bars else "line",
        "lineWidth": 1,
        "fillOpacity": 60 if look.stacked or look.bars else 0,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if look.stacked else "none", "group": "A"},
        "scaleDistribution": {"type": "log", "log": 10} if look.logarithmic else {"type": "linear"},
    }
    defaults: Json = {"color": PALETTE, "custom": custom}
    if not look.logarithmic:
        defaults["min"] = 0
    if look.maximum is not None:
        defaults["max"] = look.maximum
    options = {"legend": LEGEND, "tooltip": TOOLTIP}
    return Shown("timeseries", over_time("time_series"), defaults, options)


def _number(look: Number) -> Shown:
    steps: list[Json] = [{"color": "text", "value": None}]
    if look.red_above is not None:
        steps.append({"color": "red", "value": look.red_above})
    defaults = {
        "color": {"mode": "thresholds"},
        "thresholds": {"mode": "absolute", "steps": steps},
        "mappings": numbered_words(look.states),
    }
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value",
        "graphMode": "none",
        "textMode": "auto",
        "orientation": "auto",
    }
    return Shown("stat", newest("time_series"), defaults, options)


def _timeline(look: Timeline) -> Shown:
    defaults = {
        "color": {"mode": "thresholds"},
        "custom": {"fillOpacity": 70, "lineWidth": 0},
        "mappings": numbered_words(look.states),
    }
    options = {
        "mergeValues": True,
        "showValue": "auto",
        "rowHeight": 0.8,
        "legend": LEGEND,
        "tooltip": {"mode": "single"},
    }
    return Shown("state-timeline", over_time("time_series"), defaults, options)


def _heatmap(panel: Panel) -> Shown:
    options = {
        "calculate": False,
        "cellGap": 1,
        "color": {"mode": "scheme", "scheme": "Turbo", "steps": 64, "exponent": 0.5},
        "yAxis": {"unit": panel.unit, "axisPlacement": "left"},
        "cellValues": {"unit": "short"},
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "tooltip": {"mode": "single", "yHistogram": False},
    }
    return Shown("heatmap", over_time("heatmap"), {}, options)
