import http.client
import json
import socket
import time
from contextlib import closing

import pytest

from gossip_api.names import Member, Role
from gossip_api.process import ProcessStatus
from gossip_trainer.process import status_server as module
from gossip_trainer.process.standing import Standing
from gossip_trainer.process.status_server import StatusServer


@pytest.fixture
def standing():
    return Standing(Member(Role.SERVER, 1, 2))


@pytest.fixture
def server(standing):
    with closing(StatusServer("127.0.0.1", 0, standing)) as server:
        yield server


@pytest.fixture
def get(server):
    def get(path):
        with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as line:
            line.request("GET", path)
            answer = line.getresponse()
            return answer.status, answer.read().decode()

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


def test_who_says_nothing_takes_a_place_only_for_a_while_and_never_all_of_them(
    server, get, monkeypatch
):
    monkeypatch.setattr(module._Handler, "timeout", 0.3)
    silent = [
        socket.create_connection(("127.0.0.1", server.port), timeout=10)
        for _ in range(module.MAX_REQUESTS + 4)
    ]
    # Those above the limit are hung up on at once, the others when their time is over.
    began = time.monotonic()
    for sock in silent:
        assert sock.recv(1) == b""
        sock.close()
    assert time.monotonic() - began < 5
    assert get("/healthz")[0] == 200
