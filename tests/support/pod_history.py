"""What became of all pods of a namespace, and the laws that the operator must keep in any trouble.

A thread watches the API server directly, so it sees also what is gone again a moment later.
"""

import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from http.client import HTTPException

from cluster_jobs import Object, is_live
from testbed.bed import Bed
from testbed.errors import ApiError
from testbed.waiting import wait_for

WATCH_SECONDS = 2.0


@dataclass
class Life:
    """One pod.

    Attributes:
        rivals: pods of its place that were live when it was created.
        seen: when it was first seen, in monotonic seconds.
        deleted: whether somebody has deleted it, or it is gone.
        was_live: whether it was live when that happened.

    """

    name: str
    rivals: list[str]
    seen: float
    is_live: bool = True
    deleted: bool = False
    was_live: bool = True


@dataclass
class PodHistory:
    """The pods of one namespace since `start`."""

    bed: Bed
    namespace: str
    lives: dict[str, Life] = field(default_factory=dict)
    _version: int = 0
    _ended: threading.Event = field(default_factory=threading.Event)

    @property
    def path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods"

    def start(self) -> None:
        self._version = self._present()
        threading.Thread(target=self._watch, name="pod history", daemon=True).start()

    def stop(self) -> None:
        self._ended.set()

    def named(self, name: str) -> Life | None:
        """Return the pod of that name, if there ever was one."""
        return next((life for life in list(self.lives.values()) if life.name == name), None)

    def check(self, *, deleted: frozenset[str] = frozenset()) -> None:
        """Assert that the laws held; `deleted` are the pods that may have been deleted alive."""
        self.catch_up()
        lives = list(self.lives.values())
        names = [life.name for life in lives]
        assert len(set(names)) == len(names), f"a name was used twice: {sorted(names)}"
        assert not [life for life in lives if life.rivals], "two live pods of one place"
        taken = [life.name for life in lives if life.deleted and life.was_live]
        assert set(taken) <= deleted, f"healthy pods were deleted: {set(taken) - deleted}"
        places = defaultdict(list)
        for life in lives:
            place, _, incarnation = life.name.rpartition("-")
            places[place].append(int(incarnation))
        for place, incarnations in places.items():
            assert incarnations == list(range(len(incarnations))), f"{place}: {incarnations}"

    def catch_up(self) -> None:
        """Wait until all that has happened so far is known."""
        marker = {"metadata": {"name": f"marker-{self._version}"}, "spec": _nowhere()}
        self.bed.api.create(self.path, marker)
        version = self._present()
        wait_for(lambda: self._version >= version, "the history of the pods", seconds=20)
        self.bed.api.delete(f"{self.path}/{marker['metadata']['name']}", {"gracePeriodSeconds": 0})

    def _present(self) -> int:
        items = self.bed.api.list(self.path)
        versions = [int(item["metadata"]["resourceVersion"]) for item in items]
        return max(versions, default=0) or int(
            self.bed.api.get(self.path)["metadata"]["resourceVersion"]
        )

    def _watch(self) -> None:
        while not self._ended.is_set():
            try:
                version = str(self._version)
                for kind, pod in self.bed.api.watch(
                    self.path, seconds=WATCH_SECONDS, version=version
                ):
                    self._take(kind, pod)
            except ApiError as error:
                if error.status == 410:  # a new server does not know what was before it
                    self._list()
                self._ended.wait(0.1)
            except (OSError, HTTPException, ValueError):  # the server is away
                self._ended.wait(0.1)

    def _list(self) -> None:
        try:
            found = self.bed.api.get(self.path)
        except (OSError, HTTPException, ApiError, ValueError):
            return
        for pod in found["items"]:
            self._take("MODIFIED", pod)
        present = {pod["metadata"]["uid"] for pod in found["items"]}
        for life in (life for uid, life in self.lives.items() if uid not in present):
            life.was_live = life.was_live if life.deleted else life.is_live
            life.deleted, life.is_live = True, False
        self._version = int(found["metadata"]["resourceVersion"])

    def _take(self, kind: str, pod: Object) -> None:
        metadata = pod["metadata"]
        if "labels" in metadata:
            self._note(kind, pod)
        self._version = max(self._version, int(metadata["resourceVersion"]))

    def _note(self, kind: str, pod: Object) -> None:
        uid, name = pod["metadata"]["uid"], pod["metadata"]["name"]
        if uid not in self.lives:
            place = name.rpartition("-")[0]
            rivals = [
                other.name
                for other in self.lives.values()
                if other.is_live and other.name.rpartition("-")[0] == place
            ]
            self.lives[uid] = Life(name, rivals, time.monotonic())
        life = self.lives[uid]
        gone = kind == "DELETED" or "deletionTimestamp" in pod["metadata"]
        if gone and not life.deleted:
            life.deleted, life.was_live = True, life.is_live
        life.is_live = life.is_live and not gone and is_live(pod)


def _nowhere() -> Object:
    """Return the spec of a pod that is never bound to a node."""
    return {
        "containers": [{"name": "none", "image": "none"}],
        "schedulingGates": [{"name": "test/never"}],
    }
