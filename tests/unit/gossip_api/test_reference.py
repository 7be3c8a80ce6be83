"""The generated reference."""

import re

import pytest

from gossip_api.job import FIXED, JobSpec
from gossip_api.reasons import EventReason, Reason
from gossip_api.record import record_in
from gossip_api.reference import job_reference
from gossip_api.status import JobStatus

TEXT = job_reference()


def test_every_field_has_a_row_in_its_section():
    seen = set()

    def check(path, record):
        if record in seen:  # described where it comes first
            return
        seen.add(record)
        section = TEXT.split(f"## {path}\n")[1].split("\n## ")[0]
        for spelled, name in record.field_names().items():
            assert f"| `{spelled}` |" in section
            part = record_in(record.model_fields[name].annotation)
            if part:
                check(f"{path}.{spelled}", part)

    check("spec", JobSpec)
    check("status", JobStatus)


def test_what_several_places_have_is_described_once():
    assert TEXT.count("| `containers` |") == 1
    section = TEXT.split("## spec.evaluator\n")[1].split("\n## ")[0]
    assert "| `template` | [mapping](#specworkerstemplate) |" in section


@pytest.mark.parametrize("word", [*Reason, *EventReason])
def test_every_reason_is_there_with_its_meaning(word):
    assert f"| `{word}` | {word.meaning} |" in TEXT


def test_what_may_change_only_while_the_job_is_suspended_is_named():
    assert all(f"`{field}`" in TEXT.split("## metadata")[0] for field in FIXED)


def test_rows_say_type_default_limits_and_meaning():
    assert (
        "| `period` | whole number | `1` | at least 1 | An exchange happens every `period` steps. |"
    ) in TEXT
    assert "| `momentum` | number | `0.0` | only with name sgd, at least 0, below 1 |" in TEXT
    assert "| `learningRate` | number | required | above 0 |" in TEXT
    assert "| `every` | duration, like `500ms`, `60s`, `1h30m`, `2d` | `1m` |" in TEXT


def test_rules_between_fields_are_listed():
    assert "* set exactly one of epochs, samples, seconds and stepsPerWorker" in TEXT
    assert "* `nesterov` needs a momentum above 0" in TEXT
    assert "* `workers.replicas` must be a power of two for this topology" in TEXT


def test_a_description_of_several_lines_becomes_one():
    assert (
        "Pull: read a peer's model and average. Push: send the own model; whoever receives" in TEXT
    )


def test_links_lead_to_sections():
    anchors = {re.sub(r"\.", "", title).lower() for title in re.findall(r"(?m)^## (.+)$", TEXT)}
    links = set(re.findall(r"\]\(#([^)]+)\)", TEXT))
    assert links
    assert links <= anchors


def test_tables_are_well_formed():
    tables = re.findall(r"(?:^\|.*\n)+", TEXT, re.MULTILINE)
    for header, rule, *rows in map(str.splitlines, tables):
        columns = header.count(" | ")
        assert rule == "|---" * (columns + 1) + "|"
        assert rows
        assert all(row.count(" | ") == columns for row in rows)
