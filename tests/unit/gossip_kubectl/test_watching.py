import io

import pytest
from objects import raw_job
from rich.console import Console
from rich.text import Text

from gossip_kubectl import watching
from gossip_kubectl.errors import Refused, Unreachable
from gossip_kubectl.following import AWAY_SECONDS
from gossip_kubectl.views import job_view
from gossip_kubectl.watching import Glance, Looking, Trouble, print_changes, show_live

AWAY = Unreachable("connection refused")


class Sights:
    """What there is to see, look by look, and a clock that only sleep moves."""

    def __init__(self, *sights):
        self.sights = iter(sights)
        self.now = 0.0

    def __call__(self):
        sight = next(self.sights)
        if isinstance(sight, Exception):
            raise sight
        return sight

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(watching, "EVERY_SECONDS", 0.0)


def job(**status):
    return job_view(raw_job() | {"status": status})


def over(state="Succeeded", **status):
    condition = {
        "type": "Complete" if state == "Succeeded" else "Failed",
        "status": "True",
        "reason": "ResultRecorded",
        "lastTransitionTime": "2026-01-02T03:04:05Z",
    }
    return job(state=state, conditions=[condition], **status)


def test_off_a_terminal_every_change_is_a_line_until_the_job_is_over(capsys):
    starting, running = job(state="Starting"), job(state="Running", progress={"percent": 40})
    looks = Sights(
        [starting], [starting], [running], AWAY, [running], [over(result={"loss": "0.5"})]
    )
    print_changes(looks, ends=True)
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "default/digits: Starting",
        "default/digits: Running, 40%",
        "default/digits: Succeeded, loss 0.5",
    ]
    assert "connection refused" in said.err


def test_on_a_terminal_the_page_stays_with_what_was_wrong_above_it():
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    looks = Sights(Glance(Text("40%"), False), AWAY, Glance(Text("done"), True))
    show_live(looks, console)
    shown = console.file.getvalue()
    assert "connection refused" in shown
    assert shown.count("40%") == 2
    assert shown.index("40%") < shown.index("connection refused") < shown.index("done")


def test_trouble_in_the_beginning_is_final():
    with pytest.raises(Refused):
        next(Looking(Sights(Refused(403, "Forbidden", "no"))).sights())


def test_a_server_that_stays_away_is_given_up(monkeypatch):
    monkeypatch.setattr(watching, "EVERY_SECONDS", 2.0)
    looks = Sights("here", *[AWAY] * 1000)
    seen = []
    with pytest.raises(Unreachable):
        seen.extend(Looking(looks, clock=lambda: looks.now, sleep=looks.sleep).sights())
    assert looks.now == pytest.approx(AWAY_SECONDS, abs=5)


def test_a_server_that_comes_back_is_looked_at_again():
    looks = Sights("here", AWAY, "back")
    sights = Looking(looks, clock=lambda: looks.now, sleep=looks.sleep).sights()
    assert [next(sights), next(sights), next(sights)] == [
        "here",
        Trouble("as of 0 s ago: connection refused"),
        "back",
    ]
