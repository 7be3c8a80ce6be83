"""Panels about the operator, and what it tells of jobs, have data while a real one works."""

import pytest
from cluster_jobs import job
from dashboard_answers import Reader
from operators import LOOPBACK
from prometheus import running, scrape
from status_stubs import status_stubs, worker
from testbed.waiting import wait_for

from gossip_api.metrics import jobs as registry
from gossip_monitoring.dashboards.catalogue import DASHBOARDS

pytestmark = [pytest.mark.control_plane, pytest.mark.timeout(180)]

NAMESPACE = "gossip-system"
TOLD_BY_PROCESSES = ("gossip_process_", "gossip_worker_", "gossip_evaluator_")


@pytest.fixture
def choices(jobs, operator):
    return {
        "operator_namespace": NAMESPACE,
        "instance": f"{LOOPBACK}:{operator.port}",
        "namespace": jobs.namespace,
        "job": ".+",
    }


@pytest.fixture
def reader(jobs, operator, choices, tmp_path):
    """A job that trains and one that a quota keeps from it, seen by a Prometheus."""
    with (
        status_stubs(jobs) as stubs,
        running(
            tmp_path / "prometheus",
            [scrape("operator", choices["instance"], labels={"namespace": NAMESPACE})],
        ) as prometheus,
    ):
        prometheus.wait_scraped()
        name = jobs.create(job(replicas=2))
        jobs.wait_ready(name, 2)
        stubs.serve_job(name, step=100)
        wait_for(lambda: jobs.get(name)["status"].get("progress", {}).get("step"), "progress")
        for pod in jobs.live(name).values():  # an end is estimated once training gets on
            stubs.statuses[pod["metadata"]["name"]] = worker(pod, step=120)
        quota = f"/api/v1/namespaces/{jobs.namespace}/resourcequotas"
        full = {"metadata": {"name": "full"}, "spec": {"hard": {"pods": "3"}}}
        jobs.bed.api.create(quota, full)
        wait_for(lambda: jobs.bed.api.get(f"{quota}/full").get("status", {}).get("hard"), "quota")
        kept = jobs.create(job(replicas=2))
        jobs.wait_condition(kept, "WorkersReady", "False", "QuotaExceeded")
        yield Reader(prometheus, choices)


def test_every_panel_about_the_operator_and_its_jobs_has_data(reader):
    dashboard = DASHBOARDS["operator"]
    reader.wait_until_all_answer(dashboard.panels, seconds=90)
    assert reader.confused(dashboard) == []

    told_by_operator = [
        panel
        for panel in DASHBOARDS["fleet"].panels
        if panel.title != "Alerts"
        and not any(prefix in query.expr for query in panel.queries for prefix in TOLD_BY_PROCESSES)
    ]
    reader.wait_until_all_answer(told_by_operator, seconds=60)

    # A series' own namespace wins over that of the operator which tells it.
    (loss,) = reader.ask(f'{registry.LOSS.name}{{namespace=~"$namespace"}}')
    assert loss.value == 0.5
