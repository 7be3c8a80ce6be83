"""Draws the lanes of a run's ranks as one SVG. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gossip_trainer.page.markup import add, node
from gossip_trainer.page.records import LAGGING, LEVELS
from gossip_trainer.page.scale import round_values
from gossip_trainer.page.words import on_axis

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from xml.etree.ElementTree import Element

    from gossip_trainer.page.records import Lane, Mark, Story

WIDTH = 1120.0
LEFT, RIGHT, TOP = 84.0, 20.0, 26.0
PITCHES = ((24, 22.0), (80, 12.0), (250, 6.0))  # up to so many lanes: the height of one
MIN_PITCH = 3.0
LABEL_APART = 14.0
BAR = 0.72  # of the height of a lane

LEVEL_NAMES = ("to 25%", "to 50%", "to 75%", "above")
SIGNS = {
    "joined": "M-.35-.5L.5 0L-.35 .5Z",
    "lost": "M-.4-.4L.4 .4M-.4 .4L.4-.4",
    "left": "M.35-.5L-.5 0L.35 .5Z",
}


def timeline(story: Story) -> Element:
    """Return the picture, with its key above it."""
    pitch = next((high for most, high in PITCHES if len(story.lanes) <= most), MIN_PITCH)
    height = TOP + pitch * len(story.lanes) + 6
    svg = node(
        "svg",
        viewBox=f"0 0 {WIDTH:g} {height:g}",
        class_="timeline",
        role="img",
        aria_label=f"what {len(story.lanes)} workers did over {story.seconds:.1f} seconds; "
        "the table of workers has the numbers",
    )
    scale = (WIDTH - LEFT - RIGHT) / max(story.seconds, 1e-9)
    add(svg, _axis(story.seconds, scale, height))
    add(svg, _bars(story.lanes, scale, pitch))
    add(svg, (_touch(lane, TOP + pitch * place, pitch) for place, lane in enumerate(story.lanes)))
    step = max(1, -(-int(LABEL_APART) // int(pitch)))
    for place, lane in enumerate(story.lanes):
        middle = TOP + pitch * (place + 0.5)
        if place % step == 0:
            add(svg, [node("text", lane.name, x=LEFT - 8, y=middle + 3.5, text_anchor="end")])
        add(svg, (_mark(mark, scale, middle, pitch) for mark in lane.marks))
    return node("div", _key(), node("div", svg, class_="scroll", tabindex="0"))


def _axis(seconds: float, scale: float, height: float) -> Iterator[Element]:
    for value in round_values(0.0, max(seconds, 1e-9), 10):
        x = LEFT + value * scale
        yield node("path", d=f"M{x:.1f} {TOP - 4:g}V{height:g}", class_="grid")
        yield node("text", f"{on_axis('seconds', value)} s", x=x, y=TOP - 10, text_anchor="middle")


def _bars(lanes: Sequence[Lane], scale: float, pitch: float) -> Iterator[Element]:
    """Draw all stretches of one level as one path, so that many stay small."""
    paths: list[list[str]] = [[] for _ in range(LEVELS)]
    for place, lane in enumerate(lanes):
        y = TOP + pitch * (place + 0.5)
        for each in lane.stretches:
            width = max(0.5, (each.end - each.begin) * scale)
            paths[each.level].append(f"M{LEFT + each.begin * scale:.1f} {y:g}h{width:.1f}")
    for level, parts in enumerate(paths):
        yield node("path", d="".join(parts), class_=f"bar l{level}", stroke_width=pitch * BAR)


def _mark(mark: Mark, scale: float, middle: float, pitch: float) -> Element:
    size = float(np.clip(pitch * 0.4, 3.5, 8))
    place = f"translate({LEFT + mark.seconds * scale:.1f} {middle:.1f}) scale({size:.2f})"
    return _sign(mark.kind, node("title", f"{mark.seconds:.1f} s: {mark.text}"), transform=place)


def _sign(kind: str, *children: Element, transform: str | None = None) -> Element:
    """Return a sign of radius 1 around the origin."""
    disc, sign = node("circle", r=1.0), node("path", d=SIGNS[kind])
    return node("g", *children, disc, sign, class_=f"mark {kind}", transform=transform)


def _touch(lane: Lane, top: float, pitch: float) -> Element:
    """Return what shows a lane's numbers when it is pointed at."""
    return node(
        "rect",
        node("title", f"{lane.name}: {lane.text}"),
        x=0.0,
        y=top,
        width=WIDTH,
        height=pitch,
        class_="touch",
    )


def _key() -> Element:
    texts = [(f"l{level}", name) for level, name in enumerate(LEVEL_NAMES)]
    boxes = [node("span", node("i", class_=f"box {css}"), text) for css, text in texts]
    lagging = node(
        "span", node("i", class_=f"box l{LAGGING}"), "lagging: under half the median pace"
    )
    signs = [
        node("span", node("svg", _sign(kind), viewBox="-1 -1 2 2", class_="sign"), text)
        for kind, text in (("joined", "joined later"), ("lost", "was lost"), ("left", "left"))
    ]
    return node(
        "p", "pace, as a share of that of the fast workers: ", *boxes, lagging, *signs, class_="key"
    )
