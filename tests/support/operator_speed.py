"""How fast the operator makes good what was lost; tests and the benchmark measure with this."""

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException

from cluster_jobs import Jobs, Object, member_of
from pod_history import PodHistory
from testbed.bed import Bed
from testbed.errors import ApiError
from testbed.simulated_nodes import lose_node
from testbed.waiting import wait_for

from gossip_api.names import Role, pod_name

OLD_ENOUGH_SECONDS = 3.5
"""A pod that is younger is not replaced at once; its creation is known to a second."""
WATCH_SECONDS = 2.0


def deletions(jobs: Jobs, history: PodHistory, name: str, number: int) -> list[float]:
    """Delete workers one after another; return the seconds until each one's successor was there."""
    ranks = sorted(jobs.live(name))
    deleted: dict[str, float] = {}
    for turn in range(number):
        rank, incarnation = ranks[turn % len(ranks)], turn // len(ranks)
        pod = pod_name(name, Role.WORKER, rank, incarnation)
        life = wait_for(lambda pod=pod: history.named(pod), f"creation of {pod}", seconds=30)
        time.sleep(max(0.0, life.seen + OLD_ENOUGH_SECONDS - time.monotonic()))
        successor = pod_name(name, Role.WORKER, rank, incarnation + 1)
        deleted[successor] = time.monotonic()
        jobs.bed.api.delete(f"{jobs.pods_path}/{pod}", {"gracePeriodSeconds": 30})
    return [
        wait_for(lambda pod=pod: history.named(pod), f"creation of {pod}", seconds=30).seen - at
        for pod, at in deleted.items()
    ]


@dataclass
class NodeWatch:
    """When nodes were marked unreachable, in monotonic seconds."""

    bed: Bed
    marked: dict[str, float] = field(default_factory=dict)
    _ended: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        threading.Thread(target=self._watch, name="node watch", daemon=True).start()

    def stop(self) -> None:
        self._ended.set()

    def _watch(self) -> None:
        while not self._ended.is_set():
            with suppress(OSError, HTTPException, ApiError):
                for _, node in self.bed.api.watch("/api/v1/nodes", seconds=WATCH_SECONDS):
                    self._take(node)

    def _take(self, node: Object) -> None:
        ready = [c for c in node["status"].get("conditions", ()) if c["type"] == "Ready"]
        taints = {taint["key"] for taint in node["spec"].get("taints", ())}
        unknown = any(condition["status"] == "Unknown" for condition in ready)
        if unknown or "node.kubernetes.io/unreachable" in taints:
            self.marked.setdefault(node["metadata"]["name"], time.monotonic())


def lost_nodes(jobs: Jobs, history: PodHistory, name: str, number: int) -> tuple[list, list]:
    """Lose the nodes of some workers.

    Return the nodes, and the seconds from each one's mark to the creation of its workers'
    successors.
    """
    live = jobs.live(name)
    nodes = sorted({pod["spec"]["nodeName"] for pod in live.values()})[:number]
    watch = NodeWatch(jobs.bed)
    watch.start()
    for node in nodes:
        lose_node(jobs.bed.api, node)
    found = []
    for rank, pod in live.items():
        node = pod["spec"]["nodeName"]
        if node not in nodes:
            continue
        successor = pod_name(name, Role.WORKER, rank, member_of(pod).incarnation + 1)
        life = wait_for(lambda pod=successor: history.named(pod), successor, seconds=50)
        marked = wait_for(lambda node=node: watch.marked.get(node), f"mark of {node}", seconds=10)
        found.append(life.seen - marked)
    watch.stop()
    return nodes, found
