"""Puts a page together: one file with its style and script in it, and nothing outside. Pure."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from gossip_trainer.page.markup import Child, document, node
from gossip_trainer.page.matrix import matrix_figure
from gossip_trainer.page.plot import SCALES, chart_figure
from gossip_trainer.page.records import AXES
from gossip_trainer.page.timeline import timeline
from gossip_trainer.page.words import AXIS_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from xml.etree.ElementTree import Element

    from gossip_trainer.page.records import Page, Section, Story, Table

NO_MATRIX = "No worker told of an exchange; those of a collective are all with all."


def html(page: Page) -> str:
    """Write the page."""
    style, script = _asset("page.css") + _toggles(page.sections), _asset("page.js")
    policy = f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}"
    head = node(
        "head",
        node("meta", charset="utf-8"),
        node("meta", http_equiv="Content-Security-Policy", content=policy),
        node("meta", name="viewport", content="width=device-width, initial-scale=1"),
        node("meta", name="color-scheme", content="light dark"),
        node("title", page.title),
        node("style", style),
    )
    body = node("body", *_header(page), node("main", *_main(page)), node("script", script))
    return document(node("html", head, body, lang="en"))


def _header(page: Page) -> Iterator[Element]:
    yield node(
        "header",
        node("h1", page.title),
        *(node("p", line, class_="lead") for line in page.lead),
        *(node("p", text, class_="warning", role="note") for text in page.warnings),
        *([_facts(page)] if page.facts else []),
    )


def _main(page: Page) -> Iterator[Element]:
    if any(section.charts for section in page.sections):
        yield _controls()
    number = 0
    for section in page.sections:
        figures = []
        for chart in section.charts:
            figures.append(chart_figure(chart, number))
            number += 1
        text: list[Child] = [] if figures else [node("p", "There was no evaluation and no report.")]
        charts = node("div", *figures, class_=f"charts of{len(figures)}")
        yield node("section", node("h2", section.title), *text, charts)
    for table in page.tables:
        yield node("section", node("h2", table.title), _table(table))
    for place, story in enumerate(page.stories):
        yield _story(story, is_open=place == 0)


def _facts(page: Page) -> Element:
    pairs = [node("div", node("dt", name), node("dd", value)) for name, value in page.facts]
    return node("dl", *pairs, class_="facts")


def _controls() -> Element:
    axes = [(axis, AXIS_NAMES[axis]) for axis in AXES]
    return node(
        "form",
        _choice("x axis", "axis", axes),
        _choice("y axis", "scale", [(scale, scale) for scale in SCALES]),
        class_="controls",
    )


def _choice(title: str, name: str, options: Sequence[tuple[str, str]]) -> Element:
    buttons = [
        node(
            "label",
            node(
                "input",
                type="radio",
                name=name,
                id=f"{name}-{value}",
                value=value,
                checked=not place,
            ),
            node("span", text),
        )
        for place, (value, text) in enumerate(options)
    ]
    return node("fieldset", node("legend", title), *buttons)


def _story(story: Story, *, is_open: bool) -> Element:
    parts = [node("h3", "Timeline"), timeline(story)] if story.lanes else []
    if story.news:
        told = [node("li", node("b", f"{at:.1f} s"), f" {text}") for at, text in story.news]
        parts += [node("h3", "What happened"), node("ol", *told, class_="news")]
    parts.append(node("h3", "Who exchanged with whom"))
    if not story.matrices:
        parts.append(node("p", NO_MATRIX, class_="hint"))
    matrices = [matrix_figure(matrix) for matrix in story.matrices]
    parts.append(node("div", *matrices, class_="matrices"))
    parts += [node("h3", story.workers.title), _table(story.workers)]
    job = node("details", node("summary", "The job"), node("pre", story.job, tabindex="0"))
    return node(
        "details",
        node("summary", node("h2", story.title)),
        *parts,
        job,
        open=is_open,
        class_="story",
    )


def _table(table: Table) -> Element:
    head = node("tr", *(node("th", name, scope="col") for name in table.columns))
    rows = [
        node("tr", node("th", row[0], scope="row"), *(node("td", text) for text in row[1:]))
        for row in table.rows
    ]
    whole = node("table", node("thead", head), node("tbody", *rows))
    return node("div", whole, class_="scroll", tabindex="0")


def _toggles(sections: Sequence[Section]) -> str:
    """Return the rules by which a box that is not ticked hides its curve."""
    most = max((len(chart.series) for section in sections for chart in section.charts), default=0)
    return "".join(
        f".chart:has(.t{place}:not(:checked)) .series.s{place}{{display:none}}\n"
        for place in range(most)
    )


@cache
def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
