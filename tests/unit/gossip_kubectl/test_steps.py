from objects import raw_pod

from gossip_api.names import CONTAINER
from gossip_kubectl.errors import Refused
from gossip_kubectl.steps import newest_step, with_steps
from gossip_kubectl.views import process_views


def test_the_newest_step_is_that_of_the_last_progress():
    lines = [
        '{"event":"progress","step":5}',
        '{"event":"progress","step":7}',
        '{"event":"evaluation","step":9}',
        "step 11",
        '{"event":"progr',
    ]
    assert newest_step(lines) == 7


def test_a_log_without_progress_tells_no_step():
    assert newest_step(["", "hello", '{"event":"began"}', '{"event":"progress"}', "[1]"]) is None


class Logs:
    def lines(self, path, *, seconds, **query):
        assert query["container"] == CONTAINER
        if "worker-1-0" in path:
            raise Refused(403, "Forbidden", "no logs for you")
        yield '{"event":"progress","step":3}'


def running(index):
    status = {
        "phase": "Running",
        "containerStatuses": [{"name": CONTAINER, "state": {"running": {}}}],
    }
    return raw_pod(index, status=status)


def test_whose_log_cannot_be_read_has_no_step():
    processes = process_views([running(0), running(1), raw_pod(2)])
    assert [p.step for p in with_steps(Logs(), "default", processes)] == [3, None, None]
