"""Every alert fires when it should and as it says, and not when it nearly should: asks promtool."""

import json
import re
from pathlib import Path

import pytest
from alert_case import alerts_in, promtool_test
from alerts_on_jobs import CASES as ON_JOBS
from alerts_on_learning import CASES as ON_LEARNING
from alerts_on_operators import CASES as ON_OPERATORS
from documented_commands import blocks_of
from prometheus import promtool

from gossip_api.metrics import jobs, operator, processes
from gossip_monitoring.rules.document import FILES

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "manifests" / "monitoring" / "rules"
CASES = ON_JOBS + ON_LEARNING + ON_OPERATORS
ALERTS = {(alert.name, str(alert.severity)) for file in FILES for alert in alerts_in(file)}
QUERIES = [
    block.text
    for page in sorted((ROOT / "docs" / "runbooks").glob("*.md"))
    for block in blocks_of(page)
    if block.language == "promql"
]
METRICS = (
    *(processes.COMMON + processes.WORKER + processes.SERVER + processes.EVALUATOR),
    *(jobs.JOB + operator.OPERATOR),
)
OTHERS = ("up", "process_cpu_seconds_total", "process_resident_memory_bytes")
"""What Prometheus and its client tell of every process."""
SERIES = {*OTHERS, *(series for metric in METRICS for series in metric.series)}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_alert_fires_exactly_when_it_should(tmp_path, case):
    test = tmp_path / "test.yaml"
    test.write_text(json.dumps(promtool_test(case, FOLDER)))
    promtool("test", "rules", test)


def test_every_alert_is_seen_to_fire():
    assert {(case.alert, case.severity) for case in CASES if case.since is not None} == ALERTS


def test_every_alert_is_seen_to_stay_silent():
    assert {case.alert for case in CASES if case.since is None} == {name for name, _ in ALERTS}


@pytest.mark.parametrize("file", FILES)
def test_promtool_finds_no_fault(file):
    promtool("check", "rules", "--lint-fatal", FOLDER / f"{file}.yaml")


def test_promtool_takes_every_query_of_a_runbook(tmp_path):
    rules = [{"record": f"query:{n}", "expr": query} for n, query in enumerate(QUERIES)]
    assert rules
    file = tmp_path / "rules.yaml"
    file.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    promtool("check", "rules", file)


@pytest.mark.parametrize("query", QUERIES)
def test_a_runbook_asks_for_series_that_there_are(query):
    unquoted = re.sub(r'"[^"]*"', "", query)
    asked = set(re.findall(r"\b(?:gossip|process|up)[\w:]*", unquoted))
    assert asked
    assert asked <= SERIES
