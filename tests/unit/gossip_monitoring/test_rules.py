"""The rules as data: written where they belong, named as is usual, and of series that there are."""

import re
from itertools import chain
from pathlib import Path

import pytest
import yaml

from gossip_api.metrics import jobs, operator, processes
from gossip_monitoring.promql import PROCESS_START
from gossip_monitoring.rules.document import DOCUMENTS, FILES, rules_yaml, runbook
from gossip_monitoring.rules.reference import alerts_reference
from gossip_monitoring.rules.rule import Alert, Recording, Severity

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "manifests" / "monitoring" / "rules"
RULES = [rule for groups in FILES.values() for group in groups for rule in group.rules]
ALERTS = [rule for rule in RULES if isinstance(rule, Alert)]
RECORDINGS = [rule for rule in RULES if isinstance(rule, Recording)]
RUNBOOKS = [
    (file, alert) for file, groups in FILES.items() for group in groups for alert in group.alerts
]
ON_JOBS = [alert for alert in ALERTS if not alert.name.startswith("GossipOperator")]
REGISTRY = (
    *(processes.COMMON + processes.WORKER + processes.SERVER + processes.EVALUATOR),
    *(jobs.JOB + operator.OPERATOR),
    PROCESS_START,
)
HEADINGS = ("Meaning", "Impact", "How to look", "What to do", "When to ignore")


def named(rule):
    return f"{rule.name}-{rule.severity}" if isinstance(rule, Alert) else rule.record


@pytest.mark.parametrize("file", FILES)
def test_a_file_is_current(file):
    assert (FOLDER / f"{file}.yaml").read_text() == rules_yaml(file), "run `make generate`"


def test_the_page_of_alerts_is_current_and_fits_its_width_tables_aside():
    text = (ROOT / "docs" / "alerts.md").read_text()
    assert text == alerts_reference(), "run `make generate`"
    lines = [line for line in text.splitlines() if not line.startswith("|")]
    assert max(map(len, lines)) <= 120


def test_there_are_no_other_files():
    assert {path.stem for path in FOLDER.iterdir()} == set(FILES)


def test_an_alert_says_everything_that_whoever_hears_it_needs():
    for file in FILES:
        for group in yaml.safe_load(rules_yaml(file))["groups"]:
            for rule in group["rules"]:
                if "alert" in rule:
                    assert set(rule["labels"]) == {"severity"}
                    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}


@pytest.mark.parametrize("alert", ALERTS, ids=named)
def test_a_summary_is_one_sentence_and_a_description_says_more(alert):
    assert alert.summary.endswith(".")
    assert alert.summary.count(". ") == 0
    assert alert.description.endswith(".")
    assert alert.description != alert.summary


@pytest.mark.parametrize("alert", ON_JOBS, ids=named)
def test_an_alert_on_a_job_names_its_namespace_and_the_job(alert):
    assert "{{ $labels.namespace }}/{{ $labels.job_name }}" in alert.summary


@pytest.mark.parametrize("alert", ALERTS, ids=named)
def test_text_asks_for_labels_that_the_expression_leaves(alert):
    asked = set(re.findall(r"\$labels\.(\w+)", alert.summary + alert.description))
    left = set(jobs.IDENTITY) if re.search(r"\bjob_name:", alert.expr) else set()
    left |= set(re.findall(r"\brank\b", alert.expr.partition("\n")[0]))
    for listed in re.findall(r"\bby \(([\w, ]+)\)", alert.expr):
        left |= set(listed.split(", "))
    assert asked <= left


def test_names_are_unique_but_for_the_severity():
    names = [(alert.name, alert.severity) for alert in ALERTS]
    names += [rule.record for rule in RECORDINGS]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"Gossip([A-Z][a-z]+){2,}", alert.name) for alert in ALERTS)
    assert all(re.fullmatch(r"[a-z_]+:gossip_\w+:\w+", rule.record) for rule in RECORDINGS)


@pytest.mark.parametrize("alert", ALERTS, ids=named)
def test_only_what_cannot_pass_by_itself_is_told_at_once(alert):
    at_once = {
        "GossipLossNonFinite",
        "GossipWorkerRestarting",
        "GossipJobRestarting",
        "GossipJobFailed",
    }
    assert (alert.lasting == "0s") == (alert.name in at_once)
    assert alert.severity in Severity


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_an_expression_asks_for_series_that_there_are(rule):
    recorded = {recording.record for recording in RECORDINGS}
    exposed = set(chain.from_iterable(metric.series for metric in REGISTRY))
    asked = set(re.findall(r"[\w:]*(?:gossip|process)_\w+(?::\w+)*", rule.expr))
    assert asked
    assert asked <= recorded | exposed


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_rates_are_taken_of_what_only_grows(rule):
    growing = {series for metric in REGISTRY if metric.kind != "gauge" for series in metric.series}
    assert set(re.findall(r"(?:rate|increase)\((\w+)", rule.expr)) <= growing


@pytest.mark.parametrize(("file", "alert"), RUNBOOKS, ids=lambda each: getattr(each, "name", each))
def test_a_runbook_stands_where_the_alert_says(file, alert):
    url = f"{DOCUMENTS}/{runbook(file, alert)}"
    assert url in rules_yaml(file)
    path, _, anchor = url.removeprefix(f"{DOCUMENTS}/").partition("#")
    text = (ROOT / "docs" / path).read_text()
    (section,) = (
        part for part in text.split("\n## ")[1:] if part.partition("\n")[0].lower() == anchor
    )
    assert tuple(re.findall(r"^\*\*([\w ]+)\.\*\*", section, re.MULTILINE)) == HEADINGS


@pytest.mark.parametrize("file", [file for file in FILES if file != "recording"])
def test_there_is_no_runbook_without_an_alert(file):
    text = (ROOT / "docs" / "runbooks" / f"{file}.md").read_text()
    alerts = {alert.name for group in FILES[file] for alert in group.alerts}
    assert set(re.findall(r"^## (\w+)$", text, re.MULTILINE)) == alerts
