import itertools
import json

import pytest

from gossip_kubectl.errors import Refused, TimedOut, Unreachable
from gossip_kubectl.following import AWAY_SECONDS, REFUSAL_SECONDS, Follower


def item(name, version):
    return {"metadata": {"name": name, "resourceVersion": str(version)}}


def listing(version, *names):
    return {
        "metadata": {"resourceVersion": str(version)},
        "items": [item(name, version) for name in names],
    }


def event(kind, name, version):
    return {"type": kind, "object": item(name, version)}


EXPIRED = {"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "too old"}}


class Script:
    """An API server that answers as it is told, and a clock that only sleep and answers move."""

    def __init__(self, *answers, seconds=2.0):
        self.answers = iter(answers)
        self.seconds = seconds
        self.now = 0.0
        self.queries = []

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds

    def get(self, path, *, seconds=30.0, **query):
        return self._next(query)

    def lines(self, path, *, seconds, **query):
        for part in self._next(query):
            if isinstance(part, Exception):
                raise part
            yield part if isinstance(part, str) else json.dumps(part)

    def _next(self, query):
        self.queries.append(query)
        self.now += self.seconds
        answer = next(self.answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def follow(self, **options):
        query = {"labelSelector": "a=b"}
        return Follower(self, "/pods", query, clock=self.clock, sleep=self.sleep, **options).views()


def seen(views, count):
    return [sorted(view) for view in itertools.islice(views, count)]


def test_the_view_comes_first_as_it_is_and_then_after_every_change():
    script = Script(listing(1, "a"), [event("ADDED", "b", 2), event("DELETED", "a", 3)])
    assert seen(script.follow(), 3) == [["a"], ["a", "b"], ["b"]]


def test_the_next_watch_begins_where_the_last_one_ended():
    script = Script(listing(1, "a"), [event("MODIFIED", "a", 5), event("BOOKMARK", "a", 9)], [])
    assert seen(script.follow(), 4) == [["a"]] * 4
    assert [query.get("resourceVersion") for query in script.queries] == [None, "1", "9"]
    assert {query["labelSelector"] for query in script.queries} == {"a=b"}


@pytest.mark.parametrize(
    "trouble",
    [
        [EXPIRED],
        Refused(410, "Gone", "too old"),
        Refused(503, "ServiceUnavailable", "not now"),
        Refused(401, "Unauthorized", "not yet"),
        Unreachable("connection refused"),
        [event("ADDED", "b", 2), Unreachable("cut off")],
        ['{"type": "ADDED", "obj'],
    ],
)
def test_after_any_trouble_with_a_watch_everything_is_listed_anew(trouble):
    script = Script(listing(1, "a"), trouble, listing(7, "c"), [event("ADDED", "d", 8)])
    views = itertools.takewhile(lambda view: "d" not in view, script.follow())
    assert [sorted(view) for view in views][-1] == ["c"]
    assert "resourceVersion" not in script.queries[2]


def test_a_server_that_comes_back_may_be_away_for_minutes():
    away = [Unreachable("connection refused")] * 60
    script = Script(listing(1, "a"), *away, listing(2, "a", "b"))
    assert seen(script.follow(), 2) == [["a"], ["a", "b"]]
    assert 60 < script.now < AWAY_SECONDS


@pytest.mark.parametrize("seconds", [AWAY_SECONDS, 3600.0])
def test_a_server_that_stays_away_is_given_up(seconds):
    script = Script(listing(1, "a"), *[Unreachable("connection refused")] * 1000)
    views = script.follow(away_seconds=seconds)
    next(views)
    with pytest.raises(Unreachable):
        next(views)
    assert script.now == pytest.approx(seconds, abs=20)


def test_a_server_that_refuses_for_good_is_given_up_sooner():
    script = Script(listing(1, "a"), *[Refused(403, "Forbidden", "no more")] * 1000)
    views = script.follow(away_seconds=3600.0)
    next(views)
    with pytest.raises(Refused, match="no more"):
        next(views)
    assert script.now == pytest.approx(REFUSAL_SECONDS, abs=20)


def test_a_server_that_has_never_answered_is_given_up_soon():
    script = Script(*[Unreachable("connection refused")] * 1000)
    with pytest.raises(Unreachable):
        next(script.follow())
    assert script.now < 20


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_in_the_beginning_is_final(status):
    script = Script(Refused(status, "Forbidden", "no"))
    with pytest.raises(Refused):
        next(script.follow())
    assert len(script.queries) == 1


def test_who_may_list_but_not_watch_lists_every_few_seconds():
    answers = [listing(1, "a"), Refused(403, "Forbidden", "cannot watch")] * 100
    script = Script(*answers, seconds=0.0)
    with pytest.raises(TimedOut):
        list(script.follow(deadline=300.0))
    assert 60 <= len(script.queries) / 2 <= 70


def test_nothing_is_waited_for_beyond_the_deadline():
    script = Script(listing(1, "a"), *[[] for _ in range(1000)], seconds=3.0)
    with pytest.raises(TimedOut):
        list(script.follow(deadline=30.0))
    assert script.now == pytest.approx(30.0, abs=3.0)
    assert [int(q["timeoutSeconds"]) for q in script.queries[1:]][-1] <= 3


def test_trouble_does_not_outlast_the_deadline():
    script = Script(listing(1, "a"), *[Unreachable("connection refused")] * 1000)
    with pytest.raises(TimedOut, match="connection refused"):
        list(script.follow(deadline=30.0))
    assert script.now == pytest.approx(30.0, abs=5.0)


def test_watches_that_end_at_once_are_not_begun_without_a_pause():
    script = Script(listing(1, "a"), *[[] for _ in range(1000)], seconds=0.0)
    with pytest.raises(TimedOut):
        list(script.follow(deadline=30.0))
    assert len(script.queries) <= 32
