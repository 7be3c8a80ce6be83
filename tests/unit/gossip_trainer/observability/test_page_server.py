import http.client
import socket
import time
from contextlib import closing
from http import HTTPStatus

import pytest

from gossip_trainer.observability import page_server as module
from gossip_trainer.observability.page_server import Page, PageServer

HOST = "127.0.0.1"


def answer(path):
    if path == "/fault":
        raise ZeroDivisionError
    known = path == "/there"
    return Page(path.encode(), "text/spam", status=HTTPStatus.OK if known else HTTPStatus.NOT_FOUND)


@pytest.fixture
def server():
    with closing(PageServer(HOST, 0, answer)) as server:
        yield server


@pytest.fixture
def get(server):
    def get(path):
        with closing(http.client.HTTPConnection(server.address, timeout=10)) as line:
            line.request("GET", path)
            found = line.getresponse()
            return found.status, found.getheader("Content-Type"), found.read()

    return get


def test_a_path_is_answered_with_its_page(get):
    assert get("/there") == (200, "text/spam", b"/there")
    assert get("/elsewhere") == (404, "text/spam", b"/elsewhere")


def test_what_follows_a_question_mark_is_not_part_of_the_path(get):
    assert get("/there?format=text")[2] == b"/there"


def test_a_page_that_cannot_be_made_costs_that_request_alone_and_is_logged(get, caplog):
    with pytest.raises(http.client.RemoteDisconnected):
        get("/fault")
    assert "ZeroDivisionError" in caplog.text
    assert get("/there")[0] == 200


def test_who_says_nothing_takes_a_place_only_for_a_while_and_never_all_of_them(
    server, get, monkeypatch
):
    monkeypatch.setattr(module._Handler, "timeout", 0.3)
    host, _, port = server.address.rpartition(":")
    silent = [
        socket.create_connection((host, int(port)), timeout=10)
        for _ in range(module.MAX_REQUESTS + 4)
    ]
    # Those above the limit are hung up on at once, the others when their time is over.
    began = time.monotonic()
    for sock in silent:
        assert sock.recv(1) == b""
        sock.close()
    assert time.monotonic() - began < 5
    assert get("/there")[0] == 200


def test_closed_it_answers_nobody(server):
    server.close()
    with (
        closing(http.client.HTTPConnection(server.address, timeout=10)) as line,
        pytest.raises(OSError, match="refused"),
    ):
        line.request("GET", "/there")
