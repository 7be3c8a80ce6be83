"""`kubectl gossip logs` and the steps in `status`, from processes that really say something."""

import signal

import pytest
from cluster_jobs import member_of
from kubectl_plugin import Plugin, end
from node_jobs import long_job, wait_replacement, wait_training
from testbed.nodes import kill_pod
from testbed.waiting import wait_for

from gossip_api.names import Role

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(240)]


def test_logs_follow_restarts_and_replacements_until_somebody_has_seen_enough(
    jobs, operator, tmp_path
):
    plugin = Plugin(jobs.bed, jobs.namespace)
    name = jobs.create(long_job())
    log = tmp_path / "followed"
    with log.open("w") as out:
        following = plugin.start("logs", name, "--follow", stdout=out.fileno())

    def lines(member):
        return [x for x in log.read_text().splitlines() if x.startswith(f"{member} | ")]

    wait_training(jobs, name)
    for member in ("worker-0-0", "worker-1-0", "worker-2-0", "evaluator-0-0"):
        wait_for(lambda member=member: lines(member), f"log of {member}", seconds=30)
    kill_pod(jobs.live(name)[2]["metadata"]["uid"])
    jobs.delete_pod(jobs.live(name)[1], grace=5)
    new = wait_replacement(jobs, name, Role.WORKER, 1)
    wait_for(lambda: lines(member_of(new).name), "log of the replacement", seconds=90)
    wait_for(
        lambda: sum('"event":"began"' in line for line in lines("worker-2-0")) == 2,
        "log of the process that was started again",
        seconds=90,
    )

    following.send_signal(signal.SIGINT)

    ended = end(following)
    assert (ended.code, "Traceback" in ended.err) == (130, False)
    assert "not found" not in ended.err  # a log that ends with its pod is no trouble
    for member in ("worker-0-0", "worker-1-0", "worker-1-1", "worker-2-0"):
        assert len(lines(member)) == len(set(lines(member)))

    one = plugin.run("logs", name, "--role", "worker", "--rank", "0", "--tail", "3")
    assert one.code == 0
    assert [line.split(" | ")[0] for line in one.out.splitlines()] == ["worker-0-0"] * 3
    previous = plugin.run("logs", name, "--previous", "--role", "worker", "--rank", "2")
    assert previous.out.startswith("worker-2-0 | ")
    row = next(
        line
        for line in plugin.run("status", name).out.splitlines()
        if line.startswith("worker-0-0")
    )
    assert int(row.split()[3].replace(",", "")) > 0
