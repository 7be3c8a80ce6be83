import http.client
import json
from contextlib import closing

import pytest

from gossip_api.names import Member, Role
from gossip_api.process import ProcessStatus
from gossip_trainer.process.standing import Standing
from gossip_trainer.process.status_server import open_status_server


@pytest.fixture
def standing():
    return Standing(Member(Role.SERVER, 1, 2))


@pytest.fixture
def ask(standing):
    with closing(open_status_server("127.0.0.1:0", standing, lambda: b"spam 1\n")) as server:

        def ask(path):
            with closing(http.client.HTTPConnection(server.address, timeout=10)) as line:
                line.request("GET", path)
                answer = line.getresponse()
                return answer.status, answer.getheader("Content-Type"), answer.read().decode()

        yield ask


@pytest.fixture
def get(ask):
    def get(path):
        code, _, body = ask(path)
        return code, body

    return get


def test_the_status_is_the_json_that_the_operator_reads(get, standing):
    standing.phase, standing.step = "Serving", 17
    code, body = get("/status")
    status = ProcessStatus.model_validate_json(body)
    assert (code, status.role, status.rank, status.incarnation) == (200, Role.SERVER, 1, 2)
    assert (status.phase, status.step) == ("Serving", 17)
    assert "loss" not in json.loads(body)


def test_the_counts_are_spelled_as_in_documents(get):
    assert "jobSamples" in json.loads(get("/status")[1])


def test_the_metrics_are_said_to_be_in_prometheus_text_format(ask):
    assert ask("/metrics") == (200, "text/plain; version=0.0.4; charset=utf-8", "spam 1\n")


def test_readiness_follows_the_phase_at_once(get, standing):
    assert get("/readyz") == (503, "Starting\n")
    standing.phase = "Serving"
    assert get("/readyz") == (200, "ready\n")
    standing.phase = "Leaving"
    assert get("/readyz") == (503, "Leaving\n")


def test_it_is_alive_as_soon_as_it_answers(get):
    assert get("/healthz")[0] == 200


def test_any_other_path_is_told_what_there_is(get):
    code, body = get("/")
    assert code == 404
    assert "/status" in body
