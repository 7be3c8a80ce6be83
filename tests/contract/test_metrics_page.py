"""docs/metrics.md: current, complete, and its queries are ones that Prometheus can carry out."""

import re
from itertools import chain
from pathlib import Path

import pytest
import yaml
from prometheus import promtool

from gossip_api.metrics import jobs, operator, processes
from gossip_api.metrics.questions import QUESTIONS
from gossip_api.metrics.reference import metrics_reference

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
EVERY = tuple(
    chain(
        *(processes.COMMON, processes.WORKER, processes.SERVER, processes.EVALUATOR),
        *(jobs.JOB, operator.OPERATOR),
    )
)
SCRAPED = {*processes.IDENTITY, *jobs.IDENTITY, "le"}


def test_the_page_is_current():
    assert PAGE.read_text() == metrics_reference(), "run `make generate`"


def test_the_page_describes_every_metric_once():
    described = re.findall(r"^\| `(gossip_\w+)` \|", PAGE.read_text(), re.MULTILINE)
    assert sorted(described) == sorted(metric.name for metric in EVERY)


def test_the_page_fits_its_width_tables_aside():
    lines = PAGE.read_text().splitlines()
    assert [line for line in lines if len(line) > 120 and not line.startswith("|")] == []


def test_promtool_takes_every_query(tmp_path):
    rules = [
        {"record": f"question:{number}", "expr": question.query}
        for number, question in enumerate(QUESTIONS)
    ]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "questions", "rules": rules}]}))
    promtool("check", "rules", file)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.text)
def test_a_query_asks_for_series_and_labels_that_there_are(question):
    by_series = {series: metric for metric in EVERY for series in metric.series}
    asked = re.findall(r"gossip_\w+", question.query)
    assert asked
    assert set(asked) <= set(by_series)
    own = set(chain.from_iterable(by_series[name].labels for name in asked))
    grouped = chain.from_iterable(
        listed.split(", ")
        for listed in re.findall(r"(?:by|on|ignoring|group_left) \(([\w, ]+)\)", question.query)
    )
    matched = re.findall(r'(\w+)(?:=|!=|=~)"', question.query)
    assert {*grouped, *matched} <= own | SCRAPED


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.text)
def test_rates_are_taken_of_what_only_grows(question):
    growing = {series for metric in EVERY if metric.kind != "gauge" for series in metric.series}
    assert set(re.findall(r"(?:rate|increase)\((gossip_\w+)", question.query)) <= growing
