"""What a real Prometheus makes of the operator's page."""

import asyncio
import re
import threading

import pytest
from objects import CREATED, raw_job
from operators import LOOPBACK, free_port
from prometheus import running, scrape
from testbed.waiting import wait_for

from gossip_api.metrics import jobs
from gossip_api.metrics.questions import QUESTIONS
from gossip_operator.shell.health import HealthServer
from gossip_operator.shell.metrics import Metrics
from gossip_operator.shell.projections import job_view

pytestmark = pytest.mark.heavy

STATUS = {
    "state": "Degraded",
    "startTime": CREATED,
    "beganTime": "2026-01-02T03:05:05Z",
    "workers": {"desired": 4, "ready": 3},
    "progress": {"step": 120, "loss": "0.5", "accuracy": "0.75"},
    "restarts": 2,
}
ASKED_OF_JOBS = [
    question
    for question in QUESTIONS
    if all(name.startswith("gossip_job_") for name in re.findall(r"gossip_\w+", question.query))
]


@pytest.fixture
def found():
    """The jobs that there are."""
    return [job_view({**raw_job(), "status": STATUS})]


@pytest.fixture
def page(found):
    """The address of an operator's page that tells of the jobs."""
    metrics, address = Metrics(), f"{LOOPBACK}:{free_port()}"
    metrics.show_jobs(lambda: found)
    server = HealthServer(address, metrics=metrics, complaint=lambda: None, is_ready=lambda: True)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(timeout=10)
        yield address
        asyncio.run_coroutine_threadsafe(server.close(), loop).result(timeout=10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)
        loop.close()


@pytest.fixture
def prometheus(tmp_path, page):
    """One that scrapes the page as a ServiceMonitor with `honorLabels` has it do."""
    target = scrape("operator", page, labels={"namespace": "gossip-system", "pod": "operator-0"})
    with running(tmp_path / "prometheus", [target]) as started:
        started.wait_scraped()
        yield started


def test_a_jobs_series_keep_the_jobs_namespace(prometheus):
    (sample,) = prometheus.query(jobs.LOSS.name)
    assert (sample.labels["namespace"], sample.labels["job_name"]) == ("default", "digits")
    assert sample.value == 0.5
    (sample,) = prometheus.query("gossip_operator_info")
    assert sample.labels["namespace"] == "gossip-system"


def test_the_questions_about_jobs_have_answers(prometheus):
    assert len(ASKED_OF_JOBS) >= 5
    for question in ASKED_OF_JOBS:
        wait_for(lambda asked=question.query: prometheus.query(asked), question.text, seconds=15)
    missing = next(q.query for q in ASKED_OF_JOBS if "missing" in q.text)
    assert prometheus.value(missing) == 1
    (sample,) = prometheus.query(next(q.query for q in ASKED_OF_JOBS if "strategy" in q.text))
    assert (sample.labels["exchange"], sample.value) == ("Pull", 0.75)


def test_a_jobs_series_end_when_it_is_gone(prometheus, found):
    found.clear()
    wait_for(lambda: not prometheus.query(jobs.LOSS.name), "the end of its series", seconds=15)
    assert prometheus.query("gossip_operator_info")
