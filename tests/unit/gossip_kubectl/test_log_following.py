import json
import threading

import pytest
from objects import raw_pod

from gossip_api.names import CONTAINER, Member, Role
from gossip_kubectl import following, log_following
from gossip_kubectl.errors import InvalidCommand, Refused, Unreachable
from gossip_kubectl.log_following import MOST_LOGS, Line, LogFollower, Note

GONE = Refused(404, "NotFound", "pods not found")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(log_following, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(following, "SHORTEST_WATCH_SECONDS", 0.01)


def pod(index=0, incarnation=0, phase="Running", *, started=True):
    container = {"name": CONTAINER, "state": {}} | ({"containerID": "x"} if started else {})
    raw = raw_pod(index, status={"phase": phase, "containerStatuses": [container]})
    raw["metadata"]["name"] = f"digits-worker-{index}-{incarnation}"
    return raw


def said(second, text):
    return f"2026-01-02T03:04:{second:02}.5Z {text}"


class Server:
    """An API server with one job, which is over when nothing changes any more.

    Attributes:
        changes: what comes by watch, and what is waited for meanwhile.
        logs: what each pod's log answers, request by request; the last answer is given again.

    """

    namespace = "default"

    def __init__(self, pods, changes, logs):
        self.pods, self.changes, self.logs = pods, list(changes), logs
        self.asked = []

    def get(self, path, *, seconds=30.0, **query):
        return {"metadata": {"resourceVersion": "1"}, "items": self.pods}

    def find(self, path):
        return {"status": {"finished": not self.changes}}

    def lines(self, path, *, seconds, **query):
        if "watch" in query:
            return self._watch()
        name = path.split("/")[-2]
        self.asked.append((name, query))
        answers = self.logs[name]
        return iter_answer(answers.pop(0) if len(answers) > 1 else answers[0])

    def _watch(self):
        while self.changes:
            change = self.changes.pop(0)
            if callable(change):
                assert change()
                continue
            kind, raw = change
            raw["metadata"]["resourceVersion"] = "2"
            yield json.dumps({"type": kind, "object": raw})


def iter_answer(answer):
    for part in answer:
        if isinstance(part, Exception):
            raise part
        yield part


def follow(server, past=lambda number: {}):
    return list(LogFollower(server, "digits", lambda process: True, past).lines())


def test_the_log_of_a_replacement_follows_that_of_the_one_it_replaces():
    server = Server(
        [pod()],
        [
            ("MODIFIED", pod(0, 0)),
            ("DELETED", pod(0, 0)),
            ("ADDED", pod(0, 1, "Pending", started=False)),
            ("MODIFIED", pod(0, 1)),
            ("MODIFIED", pod(0, 1, "Succeeded")),
        ],
        {
            "digits-worker-0-0": [[said(1, "one")], [GONE]],
            "digits-worker-0-1": [[said(2, "two")], []],
        },
    )
    assert follow(server, lambda number: {"tailLines": "20"}) == [
        Line(Member(Role.WORKER, 0, 0), "one"),
        Line(Member(Role.WORKER, 0, 1), "two"),
    ]
    queries = dict(reversed(server.asked))
    assert queries["digits-worker-0-0"]["tailLines"] == "20"
    assert "tailLines" not in queries["digits-worker-0-1"]


def test_a_log_that_is_cut_off_goes_on_where_it_was_without_a_line_twice():
    read = threading.Event()

    class Cut(Server):
        def lines(self, path, *, seconds, **query):
            if "sinceTime" in query:
                read.set()
            return super().lines(path, seconds=seconds, **query)

    server = Cut(
        [pod()],
        [lambda: read.wait(10), ("MODIFIED", pod(0, 0, "Succeeded"))],
        {
            "digits-worker-0-0": [
                [said(1, "a"), said(1, "b"), Unreachable("cut off")],
                [said(1, "a"), said(1, "b"), said(2, "c")],
            ]
        },
    )
    assert [line.text for line in follow(server)] == ["a", "b", "c"]
    assert ("digits-worker-0-0", "2026-01-02T03:04:01Z") in [
        (name, query.get("sinceTime")) for name, query in server.asked
    ]


def test_a_refusal_is_told_once_and_tried_again():
    refused = Refused(500, "InternalError", "no route to host")
    read = threading.Event()
    server = Server(
        [pod()],
        [lambda: read.wait(10), ("MODIFIED", pod(0, 0, "Succeeded"))],
        {"digits-worker-0-0": [[refused], [refused], [said(1, "a")], [said(1, "a")]]},
    )
    heard = []
    for line in LogFollower(server, "digits", lambda process: True, lambda number: {}).lines():
        heard.append(line)
        if isinstance(line, Line):
            read.set()
    assert heard == [
        Note("worker-0-0: no route to host"),
        Line(Member(Role.WORKER, 0, 0), "a"),
    ]


def test_only_those_that_are_asked_for_are_read():
    server = Server(
        [pod(0, phase="Succeeded"), pod(1, phase="Succeeded")],
        [],
        {"digits-worker-1-0": [[said(1, "mine")]]},
    )
    follower = LogFollower(
        server, "digits", lambda process: process.member.index == 1, lambda number: {}
    )
    assert [line.text for line in follower.lines()] == ["mine"]


def test_more_logs_than_can_be_followed_are_refused_with_advice():
    server = Server([pod(index) for index in range(MOST_LOGS + 1)], [], {})
    with pytest.raises(InvalidCommand, match=r"101 processes; at most 100 .* --role and --rank"):
        follow(server)


def test_what_goes_wrong_in_a_reader_is_raised_to_the_caller():
    server = Server([pod()], [], {"digits-worker-0-0": [[ValueError("a bug")]]})
    with pytest.raises(ValueError, match="a bug"):
        follow(server)
