"""Jobs on real nodes: what their processes say of themselves, read from their logs."""

from cluster_jobs import Jobs, Object, job, member_of
from testbed.waiting import wait_for

from gossip_api.names import Member, Role

START_SECONDS = 120.0
"""Until a new process speaks: it needs 10 s of CPU, for which all those that train compete."""


def long_job(**spec) -> Object:
    """Make a job that trains until somebody stops it."""
    body = job(replicas=3, evaluation={"every": "2s"}, **spec)
    body["spec"]["training"]["budget"] = {"seconds": 600}
    body["spec"]["training"]["optimizer"] |= {"learningRate": 0.01}
    return body


def events(jobs: Jobs, pod: Object, kind: str) -> list[Object]:
    """Return a pod's events of one kind."""
    return [r for r in jobs.records(pod["metadata"]["name"]) if r.get("event") == kind]


def newest_step(jobs: Jobs, pod: Object) -> int:
    """Return the last step that a worker has reported; -1 before the first."""
    reported = events(jobs, pod, "progress")
    return reported[-1]["step"] if reported else -1


def wait_training(jobs: Jobs, name: str, ready: int = 3) -> None:
    """Wait until all workers of a job train."""
    jobs.wait_condition(name, "Progressing", reason="Training", seconds=100)
    jobs.wait_ready(name, ready, seconds=90)
    for pod in jobs.live(name).values():
        what = f"steps of {pod['metadata']['name']}"
        wait_for(lambda pod=pod: newest_step(jobs, pod) > 0, what, seconds=90)


def wait_replacement(
    jobs: Jobs, name: str, role: Role, index: int, incarnation: int = 1, *, seconds: float = 20
) -> Object:
    """Wait for the pod of an incarnation and return it."""
    member = Member(role, index, incarnation)

    def look() -> Object | None:
        return next((pod for pod in jobs.pods(name, role) if member_of(pod) == member), None)

    return wait_for(look, f"{role}-{index}-{incarnation}", seconds=seconds)


def wait_beginning(jobs: Jobs, pod: Object, count: int = 1) -> Object:
    """Wait until a worker has begun for the `count`-th time and return that record."""

    def look() -> Object | None:
        found = events(jobs, pod, "began")
        return found[-1] if len(found) >= count else None

    return wait_for(look, f"beginning of {pod['metadata']['name']}", seconds=START_SECONDS)
