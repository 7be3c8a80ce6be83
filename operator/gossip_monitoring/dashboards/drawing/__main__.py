"""`python -m gossip_monitoring.dashboards.drawing`: draw a dashboard from a Prometheus' answers."""

from __future__ import annotations

import argparse
import io
import time
from pathlib import Path
from typing import Final

from PIL import Image, ImageColor

from gossip_monitoring.dashboards.catalogue import DASHBOARDS
from gossip_monitoring.dashboards.drawing.answers import Window
from gossip_monitoring.dashboards.drawing.page import draw
from gossip_monitoring.dashboards.drawing.surface import BACKGROUND, EDGE, FACE, FAINT, GRID, TEXT

COLOURS: Final = 64
"""Of a picture's palette: enough for lines and text, and a third of the size."""
PAGE: Final = (BACKGROUND, FACE, EDGE, GRID, TEXT, FAINT)
POINTS: Final = 240


def main() -> None:
    """Write one picture."""
    parser = argparse.ArgumentParser(
        prog="python -m gossip_monitoring.dashboards.drawing", description=__doc__
    )
    parser.add_argument("dashboard", choices=DASHBOARDS)
    parser.add_argument("picture", type=Path, help="PNG to write")
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090", metavar="ADDRESS")
    parser.add_argument("--seconds", type=float, default=3600.0, help="that the time range spans")
    parser.add_argument(
        "--end", type=float, help="of the range, in seconds since the epoch; now by default"
    )
    parser.add_argument("--scrape-seconds", type=float, default=15.0)
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="VARIABLE=VALUE[,VALUE]",
        help="a choice at the dashboard's head; all, or the first, where none is given",
    )
    given = parser.parse_args()
    end = time.time() if given.end is None else given.end
    step = max(given.seconds / POINTS, given.scrape_seconds)
    end -= end % step  # as Grafana does, so that a picture drawn anew is the same
    dashboard = DASHBOARDS[given.dashboard]
    values: dict[str, str | tuple[str, ...]] = {
        variable.name: variable.everything for variable in dashboard.variables
    }
    for choice in given.set:
        name, _, chosen = choice.partition("=")
        values[name] = tuple(chosen.split(","))
    if without := [name for name, value in values.items() if not value]:
        parser.error(f"--set {without[0]}=...: {given.dashboard} has no choice of all for it")
    window = Window(given.prometheus, end - given.seconds, end, step, given.scrape_seconds, values)
    drawn = io.BytesIO()
    draw(dashboard, window).savefig(drawn, format="png", facecolor=BACKGROUND)
    _few_colours(Image.open(drawn).convert("RGB")).save(given.picture, optimize=True)


def _few_colours(picture: Image.Image) -> Image.Image:
    """Limit the colours: those of the page stay as they are, and so do rare ones, as of lines."""
    page = [channel for colour in PAGE for channel in ImageColor.getrgb(colour)]
    others = picture.quantize(COLOURS - len(PAGE), Image.Quantize.MAXCOVERAGE).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette(page + others)
    return picture.quantize(palette=palette, dither=Image.Dither.NONE)


if __name__ == "__main__":
    main()
