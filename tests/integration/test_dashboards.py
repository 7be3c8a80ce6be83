"""Every panel about jobs has data while real runs train, one of gossip and one with a server."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from dashboard_answers import SCRAPE_SECONDS, Reader
from operators import LOOPBACK, free_port
from prometheus import running, scrape
from testbed.waiting import wait_for

from gossip_monitoring.dashboards.catalogue import DASHBOARDS
from gossip_monitoring.dashboards.drawing.answers import Window
from gossip_monitoring.dashboards.drawing.page import draw
from gossip_monitoring.dashboards.interpolation import interpolate
from gossip_monitoring.dashboards.panel import Curve, Heatmap, Lines, Timeline
from gossip_trainer.observability.event_log import EventTail
from gossip_trainer.observability.events import Started

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(180)]

SAMPLES = Path(__file__).parents[2] / "manifests" / "samples"
GOSSIP = Path(sys.executable).parent / "gossip"
RUNS = {"digits": "digits.yaml", "parameter-server": "07-parameter-server.yaml"}
TRAINING_SECONDS = 150  # longer than the tests need
ABOUT_JOBS = {name: each for name, each in DASHBOARDS.items() if name != "operator"}
ALERT = """
groups:
  - name: example
    rules:
      - alert: GossipExample
        expr: max by (namespace, job_name) (gossip_job_info)
        labels: {severity: info}
"""
TRAINING = "count(count by (job_name) (gossip_worker_step > 0))"
CHOSEN = {"namespace": "local", "job": tuple(RUNS), "rank": ".+"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Holds everything that the runs and Prometheus write."""
    return tmp_path_factory.mktemp("dashboards")


@pytest.fixture(scope="module")
def reader(folder):
    """Two runs of two workers each, and a Prometheus that scrapes both and has an alert."""
    alert = folder / "alert.yaml"
    alert.write_text(ALERT)
    started = {name: start(name, folder) for name in RUNS}
    try:
        addresses = [address for _, address in started.values()]
        with running(folder / "prometheus", [scrape("runs", *addresses)], [alert]) as prometheus:
            wait_for(
                lambda: prometheus.value(TRAINING) == len(RUNS), "steps of all runs", seconds=60
            )
            yield Reader(prometheus, CHOSEN)
    finally:
        for process, _ in started.values():
            process.send_signal(signal.SIGINT)
        for process, _ in started.values():
            process.wait(timeout=30)
        for name in RUNS:
            print((folder / f"{name}.log").read_text())


def start(name, folder):
    """Start a run; return its process and where its metrics are."""
    document = yaml.safe_load((SAMPLES / RUNS[name]).read_text())
    document["metadata"]["name"] = name
    document["spec"]["training"] |= {"budget": {"seconds": TRAINING_SECONDS}, "target": None}
    document["spec"]["training"] |= {"schedule": {"name": "constant"}}
    document["spec"]["workers"] = {"replicas": 2, "minReplicas": 1}
    document["spec"]["checkpoint"] = {"storage": {"claimName": "local"}, "every": "2s"}
    del document["spec"]["simulation"]
    job, port = folder / f"{name}.yaml", free_port()
    job.write_text(yaml.safe_dump(document))
    command = [
        *(GOSSIP, "run", job),
        *("--metrics-port", str(port), "--out", folder / name, "--replace-lost"),
    ]
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=os.environ | {"OMP_NUM_THREADS": "1"}
        )
    return process, f"{LOOPBACK}:{port}"


@pytest.mark.parametrize("dashboard", ABOUT_JOBS.values(), ids=ABOUT_JOBS)
def test_every_query_of_every_panel_has_an_answer(reader, dashboard):
    reader.wait_until_all_answer(dashboard.panels, seconds=60)


@pytest.mark.parametrize("dashboard", ABOUT_JOBS.values(), ids=ABOUT_JOBS)
def test_no_two_series_of_a_panel_have_one_name(reader, dashboard):
    reader.wait_until_all_answer(dashboard.panels, seconds=60)
    assert reader.confused(dashboard) == []
    assert reader.unmatched(dashboard) == []


@pytest.mark.parametrize("dashboard", ABOUT_JOBS.values(), ids=ABOUT_JOBS)
def test_every_choice_has_values(reader, dashboard):
    chosen = {}
    for variable in dashboard.variables:
        selector, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable.query).groups()
        found = reader.prometheus.query(interpolate(selector, chosen))
        values = sorted({sample.labels[label] for sample in found})
        assert values
        chosen[variable.name] = tuple(values)
    assert chosen["namespace"] == ("local",)
    assert chosen["job"] == tuple(sorted(RUNS))


@pytest.mark.parametrize("dashboard", ABOUT_JOBS.values(), ids=ABOUT_JOBS)
def test_it_can_be_drawn(reader, dashboard):
    reader.wait_until_all_answer(dashboard.panels, seconds=60)
    end = reader.prometheus.value("time()")
    address = f"http://{reader.prometheus.address}"
    values = {name: CHOSEN[name] for name in (each.name for each in dashboard.variables)}
    drawn = draw(dashboard, Window(address, end - 30, end, 1.0, SCRAPE_SECONDS, values))
    plots = (Lines, Curve, Heatmap, Timeline)
    shown = [panel for row in dashboard.rows if not row.collapsed for panel in row.panels]
    times = [len(RUNS) if panel.repeat else 1 for panel in shown if isinstance(panel.look, plots)]
    assert len(drawn.axes) == sum(times)
    assert all(axes.has_data() for axes in drawn.axes)


def test_shares_of_time_by_phase_add_up_to_one(reader):
    (panel,) = (each for each in DASHBOARDS["job"].panels if each.title.startswith("Time by phase"))
    assert isinstance(panel.look, Lines)
    reader.wait_until_all_answer([panel], seconds=60)
    shares = {each.labels["phase"]: each.value for each in reader.ask(panel.queries[0].expr)}
    assert sum(shares.values()) == pytest.approx(1)


def test_a_lost_worker_is_marked(reader, folder):
    marks = {mark.name: mark.expr for mark in DASHBOARDS["job"].marks}
    fired = wait_for(lambda: reader.ask(marks["Alerts"]), "the alert", seconds=20)
    assert {each.labels["job_name"] for each in fired} == set(RUNS)
    assert reader.ask(marks["Restarts"]) == []
    (victim,) = (
        record.pid
        for record in EventTail(folder / "digits" / "events.jsonl").new()
        if isinstance(record, Started) and record.source == "worker-1-0"
    )
    os.kill(victim, signal.SIGKILL)
    marked = wait_for(lambda: reader.ask(marks["Restarts"]), "the mark", seconds=30)
    assert [each.labels["job_name"] for each in marked] == ["digits"]
