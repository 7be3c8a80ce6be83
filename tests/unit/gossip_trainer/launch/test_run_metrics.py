"""The one page of a local run: processes come and go, and it stays."""

import http.client
import socket
import time
from contextlib import ExitStack, closing

import pytest
from prometheus import check_metrics
from prometheus_client.parser import text_string_to_metric_families

from gossip_trainer.launch import run_metrics as module
from gossip_trainer.launch.last_pages import METRICS_FOLDER
from gossip_trainer.launch.run_metrics import RunMetrics
from gossip_trainer.observability.page_server import Page, PageServer

STEPS = "# HELP steps_total Taken.\n# TYPE steps_total counter\nsteps_total {}\n"


@pytest.fixture
def metrics(job, tmp_path):
    (tmp_path / METRICS_FOLDER).mkdir()
    with closing(RunMetrics(job, tmp_path, 0)) as metrics:
        yield metrics


class Process:
    """Serves a page with one counter."""

    def __init__(self, steps):
        self.steps = steps
        self.server = PageServer("127.0.0.1", 0, self._answer)
        self.close = self.server.close

    @property
    def address(self):
        return self.server.address

    def _answer(self, path):
        assert path == "/metrics"
        return Page(STEPS.format(self.steps).encode())


@pytest.fixture
def begin():
    """Return a function that starts a process which has taken so many steps."""
    with ExitStack() as stack:
        yield lambda steps: stack.enter_context(closing(Process(steps)))


def get(metrics):
    address, _, path = metrics.address.removeprefix("http://").partition("/")
    with closing(http.client.HTTPConnection(address, timeout=10)) as line:
        line.request("GET", f"/{path}")
        answer = line.getresponse()
        assert answer.getheader("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
        return answer.read().decode()


def steps(metrics):
    """Return the steps by rank, as the page tells them."""
    families = text_string_to_metric_families(get(metrics))
    found = [s for family in families for s in family.samples if s.name == "steps_total"]
    return {int(sample.labels["rank"]): sample.value for sample in found}


def test_before_anybody_serves_the_page_tells_of_the_job_alone(metrics):
    page = get(metrics)
    assert 'gossip_job_state{job_name="digits",namespace="local",state="Starting"} 1.0\n' in page
    check_metrics(page)


def test_each_process_is_asked_anew_for_every_page(metrics, records, begin):
    first, second = begin(5), begin(7)
    metrics.note([records.started(0, status=first.address)])
    assert steps(metrics) == {0: 5}
    metrics.note([records.started(1, status=second.address)])
    first.steps = 6
    assert steps(metrics) == {0: 6, 1: 7}
    check_metrics(get(metrics))


def test_one_that_has_left_is_shown_as_it_was_at_its_end(metrics, records, begin, tmp_path):
    process = begin(5)
    metrics.note([records.started(status=process.address)])
    assert steps(metrics) == {0: 5}
    (tmp_path / METRICS_FOLDER / "worker-0-0.prom").write_text(STEPS.format(9))
    process.close()
    assert steps(metrics) == {0: 9}
    metrics.note([records.left()])
    assert steps(metrics) == {0: 9}


def test_one_that_was_killed_is_shown_as_it_was_when_it_was_last_asked(metrics, records, begin):
    process = begin(5)
    metrics.note([records.started(status=process.address)])
    steps(metrics)
    process.close()
    metrics.note([records.left(code=-9)])
    assert steps(metrics) == {0: 5}


def test_one_that_hangs_holds_the_page_up_for_a_moment_only(metrics, records, begin, monkeypatch):
    monkeypatch.setattr(module, "FETCH_SECONDS", 0.2)
    process = begin(5)
    with socket.create_server(("127.0.0.1", 0)) as hung:
        where = f"127.0.0.1:{hung.getsockname()[1]}"
        metrics.note([records.started(0, status=process.address), records.started(1, status=where)])
        began = time.monotonic()
        assert steps(metrics) == {0: 5}
        assert time.monotonic() - began < 5


def test_a_successor_takes_the_place_of_the_one_before(metrics, records, begin):
    first, second = begin(5), begin(1)
    metrics.note([records.started(status=first.address)])
    steps(metrics)
    metrics.note([records.left(code=-9), records.started(0, 1, status=second.address)])
    assert steps(metrics) == {0: 1}


def test_in_the_end_the_page_is_left_in_the_run_directory(metrics, records, begin, tmp_path):
    process = begin(5)
    metrics.note([records.began(), records.started(status=process.address)])
    metrics.conclude("succeeded")
    page = (tmp_path / "metrics.prom").read_text()
    assert 'steps_total{job_name="digits",namespace="local",rank="0",role="worker"} 5.0\n' in page
    assert 'state="Succeeded"} 1.0\n' in page
    check_metrics(page)


def test_any_other_path_is_told_what_there_is(metrics):
    address = metrics.address.removeprefix("http://").removesuffix("/metrics")
    with closing(http.client.HTTPConnection(address, timeout=10)) as line:
        line.request("GET", "/")
        answer = line.getresponse()
        assert (answer.status, answer.read()) == (404, b"there is /metrics\n")


def test_a_port_that_is_taken_is_an_error(job, metrics, tmp_path):
    port = int(metrics.address.rpartition(":")[2].removesuffix("/metrics"))
    with pytest.raises(OSError, match="in use"):
        RunMetrics(job, tmp_path, port)
