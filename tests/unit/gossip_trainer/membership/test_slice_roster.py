import json
import logging
import threading
import time
from types import SimpleNamespace

import pytest

from gossip_api.names import Role
from gossip_trainer.membership import slice_roster as module
from gossip_trainer.membership.api_server import ApiExpired, ApiForbidden, ApiUnavailable
from gossip_trainer.membership.roster import Endpoint, Roster
from gossip_trainer.membership.slice_roster import SliceRoster

OWN = Endpoint(Role.WORKER, 9, 0, "10.0.0.9", 29400)


def each_slice(*ranks, name="mnist-peers-a", version="1"):
    return {
        "metadata": {"name": name, "resourceVersion": version},
        "addressType": "IPv4",
        "endpoints": [
            {
                "addresses": [f"10.0.0.{rank}"],
                "conditions": {"serving": True},
                "targetRef": {"kind": "Pod", "name": f"mnist-worker-{rank}-0"},
            }
            for rank in ranks
        ],
    }


def listed(*slices, version="100"):
    body = {"metadata": {"resourceVersion": version}, "items": list(slices)}
    return json.dumps(body).encode()


def line(kind, content):
    return json.dumps({"type": kind, "object": content}).encode() + b"\n"


def bookmark(version):
    return line("BOOKMARK", {"metadata": {"resourceVersion": version}})


def error(code):
    return line("ERROR", {"code": code, "message": "too old"})


class Script:
    """An API server that answers as it is told; after that it lets watches wait."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []
        self.closed = threading.Event()
        self.done = threading.Event()

    def next(self, request):
        self.requests.append(request)
        if not self.answers:
            self.done.set()
            self.closed.wait(20)
            raise ApiUnavailable("closed")
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def get(self, path, **parameters):
        return self.next(("list", parameters))

    def watch(self, path, seconds, **parameters):
        yield from self.next(("watch", parameters["resourceVersion"]))

    def close(self):
        self.closed.set()


@pytest.fixture(autouse=True)
def _hurry(monkeypatch):
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(module, "LONGEST_PAUSE_SECONDS", 0.002)


@pytest.fixture
def follow():
    """Return a function that lets a roster follow a script to its end."""
    made = []

    def follow(*answers, fall_back=lambda: None):
        script, seen = Script(*answers), []
        source = SliceRoster(
            script,
            namespace="team",
            service="mnist-peers",
            job="mnist",
            own=OWN,
            fall_back=fall_back,
            on_roster=seen.append,
        )
        made.append(source)
        assert script.done.wait(10), script.requests
        return SimpleNamespace(source=source, script=script, seen=seen)

    yield follow
    for source in made:
        source.close()


def ranks(source):
    return list(source.roster.workers())


def test_what_is_listed_is_there_and_watched_from_that_version_on(follow):
    run = follow(listed(each_slice(0, 1), version="7"), [bookmark("9")])
    assert ranks(run.source) == [0, 1]
    assert [request for request in run.script.requests if request[0] == "watch"] == [
        ("watch", "7"),
        ("watch", "9"),
    ]


def test_only_the_slices_of_the_jobs_service_are_asked_for(follow):
    run = follow(listed())
    assert run.script.requests[0][1] == {"labelSelector": "kubernetes.io/service-name=mnist-peers"}


def test_slices_come_change_and_go(follow):
    run = follow(
        listed(each_slice(0)),
        [
            line("ADDED", each_slice(5, name="b", version="2")),
            line("MODIFIED", each_slice(0, 1, version="3")),
            line("DELETED", each_slice(5, name="b", version="4")),
        ],
    )
    assert [list(roster.workers()) for roster in run.seen] == [[0], [0, 5], [0, 1, 5], [0, 1]]
    assert run.script.requests[-1] == ("watch", "4")


def test_a_watch_that_is_cut_off_goes_on_where_it_was(follow):
    run = follow(
        listed(each_slice(0)),
        [line("MODIFIED", each_slice(0, 1, version="3"))],
        ApiUnavailable("reset"),
        [line("MODIFIED", each_slice(0, 1, 2, version="5"))],
    )
    assert ranks(run.source) == [0, 1, 2]
    assert [request[1] for request in run.script.requests[1:]] == ["100", "3", "3", "5"]


@pytest.mark.parametrize("expired", [ApiExpired("gone"), [error(410)]])
def test_a_version_that_the_server_has_forgotten_is_listed_anew(follow, expired):
    run = follow(listed(each_slice(0)), expired, listed(each_slice(0, 3), version="200"))
    assert ranks(run.source) == [0, 3]
    assert [request[0] for request in run.script.requests] == ["list", "watch", "list", "watch"]
    assert run.script.requests[-1] == ("watch", "200")


@pytest.mark.parametrize("trouble", [ApiUnavailable("away"), [b'{"type": \n'], [error(500)]])
def test_while_the_server_is_away_or_confused_the_last_roster_stays(follow, trouble):
    run = follow(listed(each_slice(0, 1)), trouble)
    assert ranks(run.source) == [0, 1]
    assert len(run.seen) == 1


def test_what_changes_nothing_is_told_to_nobody(follow):
    run = follow(listed(each_slice(0)), [line("MODIFIED", each_slice(0, version="2"))])
    assert len(run.seen) == 1
    assert run.source.roster is run.seen[0]


class Fallback:
    roster = Roster((Endpoint(Role.WORKER, 4, 0, "10.0.0.4", 29400),))
    is_closed = False

    def close(self):
        self.is_closed = True


def test_where_slices_may_not_be_read_dns_takes_over_and_a_log_line_says_why(follow, caplog):
    refusals = [ApiForbidden("403 forbidden")] * module.REFUSALS_BEFORE_FALLBACK
    run = follow(*refusals, fall_back=Fallback)
    assert ranks(run.source) == [4]
    (record,) = (r for r in caplog.records if r.levelno == logging.WARNING)
    assert "list and watch endpointslices.discovery.k8s.io" in record.getMessage()


def test_a_role_that_is_a_moment_younger_than_the_pod_is_waited_for(follow):
    refusals = [ApiForbidden("403")] * (module.REFUSALS_BEFORE_FALLBACK - 1)
    run = follow(*refusals, listed(each_slice(0)))
    assert ranks(run.source) == [0]


def test_once_slices_may_be_read_again_dns_is_given_up(follow):
    fallback = Fallback()
    refusals = [ApiForbidden("403")] * module.REFUSALS_BEFORE_FALLBACK
    run = follow(*refusals, listed(each_slice(0)), [bookmark("101")], fall_back=lambda: fallback)
    assert ranks(run.source) == [0]
    assert fallback.is_closed


def test_closing_ends_the_watch_at_once(follow):
    run = follow(listed())
    began = time.monotonic()
    run.source.close()
    assert time.monotonic() - began < 1.0
    assert not run.source._thread.is_alive()
