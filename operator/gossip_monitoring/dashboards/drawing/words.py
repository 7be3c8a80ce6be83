"""Values as Grafana writes them in a unit. Pure."""

from __future__ import annotations

import math
from typing import Final

from gossip_monitoring.dashboards.panel import Unit

_DECIMAL: Final = ((1e12, "Tri"), (1e9, "Bil"), (1e6, "Mil"), (1e3, "K"))
_BYTES: Final = ((2.0**40, "TiB"), (2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"))
_BYTE_RATES: Final = ((1e12, "TB/s"), (1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s"))
_SECONDS: Final = ((86400.0, "days"), (3600.0, "hours"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"))
_PER_SECOND: Final = {
    Unit.REQUESTS_PER_SECOND: "req/s",
    Unit.MESSAGES_PER_SECOND: "msg/s",
    Unit.EVENTS_PER_SECOND: "evt/s",
}


def written(value: float, unit: Unit) -> str:
    """Write a value with its unit, to three digits."""
    if not math.isfinite(value):
        return str(value)
    match unit:
        case Unit.NONE:
            text = _digits(value)
        case Unit.RATIO:
            text = f"{_digits(value * 100)}%"
        case Unit.SECONDS:
            text = _scaled(value, _SECONDS, "s" if value == 0 else "µs", 1e-6)
        case Unit.BYTES:
            text = _scaled(value, _BYTES, "B")
        case Unit.BYTES_PER_SECOND:
            text = _scaled(value, _BYTE_RATES, "B/s")
        case _:
            text = _scaled(value, _DECIMAL, _PER_SECOND.get(unit, ""))
    return text


def _scaled(
    value: float, scale: tuple[tuple[float, str], ...], smallest: str, size: float = 1.0
) -> str:
    for factor, name in scale:
        if abs(value) >= factor:
            return f"{_digits(value / factor)} {name}"
    return f"{_digits(value / size)} {smallest}".strip()


def _digits(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"
