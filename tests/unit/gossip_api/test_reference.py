"""The generated reference."""

import re

from gossip_api.job import JobSpec
from gossip_api.record import record_in
from gossip_api.reference import job_reference

TEXT = job_reference()


def test_every_field_has_a_row_in_its_section():
    def check(path, record):
        section = TEXT.split(f"## {path}\n")[1].split("\n## ")[0]
        for spelled, name in record.field_names().items():
            assert f"| `{spelled}` |" in section
            part = record_in(record.model_fields[name].annotation)
            if part:
                check(f"{path}.{spelled}", part)

    check("spec", JobSpec)


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
    rows = [line for line in TEXT.splitlines() if line.startswith("|")]
    assert all(row.count(" | ") == 4 or set(row) == {"|", "-"} for row in rows)
