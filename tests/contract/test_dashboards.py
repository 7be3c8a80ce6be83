"""manifests/monitoring/dashboards: current, and its queries are ones that Prometheus parses."""

import json
from pathlib import Path

import pytest
import yaml
from prometheus import promtool

from gossip_monitoring.dashboards.catalogue import DASHBOARDS
from gossip_monitoring.dashboards.document import dashboard_json
from gossip_monitoring.dashboards.interpolation import interpolate

FOLDER = Path(__file__).parents[2] / "manifests" / "monitoring" / "dashboards"
CHOSEN = {
    "namespace": ("team", "other"),
    "job": "digits",
    "rank": ".+",
    "operator_namespace": ".*",
    "instance": "10.0.0.7:8080",
    "__rate_interval": "1m",
}
MAP_LIMIT = 1024 * 1024
"""Bytes that a ConfigMap holds."""

EACH = pytest.mark.parametrize(("name", "dashboard"), DASHBOARDS.items(), ids=DASHBOARDS)


def test_there_is_one_file_for_each_dashboard():
    assert {path.name for path in FOLDER.glob("*.json")} == {f"{name}.json" for name in DASHBOARDS}


@EACH
def test_the_file_is_current(name, dashboard):
    text = (FOLDER / f"{name}.json").read_text()
    assert text == dashboard_json(dashboard), "run `make generate`"
    assert json.loads(text)["uid"] == dashboard.uid


@EACH
def test_the_file_fits_into_a_config_map(name, dashboard):
    assert (FOLDER / f"{name}.json").stat().st_size < MAP_LIMIT / 4


@EACH
def test_promtool_takes_every_query(name, dashboard, tmp_path):
    asked = [query.expr for panel in dashboard.panels for query in panel.queries]
    asked += [mark.expr for mark in dashboard.marks]
    rules = [
        {"record": f"query:{number}", "expr": interpolate(expr, CHOSEN)}
        for number, expr in enumerate(asked)
    ]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": name, "rules": rules}]}))
    promtool("check", "rules", file)
