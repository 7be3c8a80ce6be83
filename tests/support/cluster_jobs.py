"""Jobs on a test bed: written, looked at, disturbed and ended, through the API server alone."""

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.bed import Bed
from testbed.errors import ApiError, BedError
from testbed.simulated_nodes import exit_container, is_ready
from testbed.waiting import wait_for

from gossip_api.names import Role, parse_pod_name
from gossip_api.process import LastWords, Score, Stop

Object = dict[str, Any]
API = "/apis/gossip.training/v1alpha1"
IMAGE = "testbed.local/host:1"
DEFINITION = Path("manifests/crd/gossiptrainingjobs.yaml")


def job(*, replicas: int = 3, **spec: Any) -> Object:
    """A small job of pull gossip with a name of its own; `spec` replaces parts of it."""
    return {
        "apiVersion": "gossip.training/v1alpha1",
        "kind": "GossipTrainingJob",
        "metadata": {"name": f"job-{uuid.uuid4().hex[:8]}"},
        "spec": {
            "strategy": {"type": "Gossip"},
            "workers": {"replicas": replicas},
            "training": {
                "model": {"name": "mlp", "args": {"hidden": [16]}},
                "data": {"name": "digits"},
                "batchSize": 16,
                "optimizer": {"name": "sgd", "learningRate": 0.1},
                "budget": {"epochs": 1},
                "seed": 1,
            },
        }
        | spec,
    }


def member_of(pod: Object):
    """Return whose pod it is."""
    labels = pod["metadata"]["labels"]
    return parse_pod_name(labels["gossip.training/job-name"], pod["metadata"]["name"])


def is_live(pod: Object) -> bool:
    """Tell whether a pod runs or may come to run."""
    over = pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}
    return not over and "deletionTimestamp" not in pod["metadata"]


def conditions(job: Object) -> dict[str, Object]:
    """Return a job's conditions by type."""
    return {c["type"]: c for c in job.get("status", {}).get("conditions") or ()}


def define(bed: Bed) -> None:
    """Make GossipTrainingJobs known to the API server and wait until they are."""
    bed.kubectl("apply", "--server-side", "-f", str(DEFINITION))
    path = (
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gossiptrainingjobs.gossip.training"
    )

    def is_established() -> bool:
        found = conditions(bed.api.get(path))  # kubectl wait fails where there are none yet
        return found.get("Established", {}).get("status") == "True"

    wait_for(is_established, "definition of GossipTrainingJob", seconds=20)

    def is_served() -> bool:
        try:  # for a moment there is no such path, then its store is not ready
            bed.api.list(f"{API}/gossiptrainingjobs")
        except ApiError:
            return False
        return True

    wait_for(is_served, "the API of GossipTrainingJobs", seconds=20)


@dataclass(frozen=True)
class Jobs:
    """The jobs of one namespace."""

    bed: Bed
    namespace: str

    @property
    def path(self) -> str:
        return f"{API}/namespaces/{self.namespace}/gossiptrainingjobs"

    @property
    def pods_path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods"

    def create(self, body: Object) -> str:
        """Create a job and return its name."""
        return self.bed.api.create(self.path, body, fieldValidation="Strict")["metadata"]["name"]

    def get(self, name: str) -> Object:
        return self.bed.api.get(f"{self.path}/{name}")

    def change(self, name: str, spec: Object) -> Object:
        """Merge into a job's spec."""
        return self.bed.api.patch(f"{self.path}/{name}", {"spec": spec})

    def pods(self, name: str, role: Role | None = None) -> list[Object]:
        """List a job's pods, those of one role if given, in order of rank and incarnation."""
        selector = f"gossip.training/job-name={name}"
        if role is not None:
            selector += f",gossip.training/role={role}"
        return sorted(self.bed.api.list(self.pods_path, labelSelector=selector), key=member_of)

    def live(self, name: str, role: Role = Role.WORKER) -> dict[int, Object]:
        """Return the live pods of a role by rank; two of one rank are an error."""
        found: dict[int, Object] = {}
        for pod in filter(is_live, self.pods(name, role)):
            rank = member_of(pod).index
            assert rank not in found, f"two live pods of {role} {rank}"
            found[rank] = pod
        return found

    def delete_pod(self, pod: Object, *, grace: int = 0) -> None:
        """Delete a pod as a user would."""
        path = f"{self.pods_path}/{pod['metadata']['name']}"
        self.bed.api.delete(path, {"gracePeriodSeconds": grace})

    def end(self, pod: Object, code: int, words: LastWords | str = "", *, reason=None) -> None:
        """End a simulated pod's trainer."""
        message = words if isinstance(words, str) else words.to_message()
        name = pod["metadata"]["name"]
        exit_container(self.bed.api, self.namespace, name, code, reason=reason, message=message)

    def wait_ready(self, name: str, replicas: int, *, seconds: float = 60) -> Object:
        """Wait until so many workers are ready, and all others of the job.

        Both by the job's own account, which may be that of a moment ago, and by the pods'.
        """

        def holds(job: Object) -> bool:
            if job.get("status", {}).get("workers", {}).get("ready") != replicas:
                return False
            others = [
                p for role in (Role.SERVER, Role.EVALUATOR) for p in self.live(name, role).values()
            ]
            workers = self.live(name).values()
            return sum(map(is_ready, workers)) == replicas and all(map(is_ready, others))

        return self.wait(name, holds, f"{replicas} ready workers", seconds=seconds)

    def wait_condition(
        self, name: str, kind: str, status: str = "True", reason: str = "", *, seconds: float = 30
    ) -> Object:
        """Wait for a condition and return it."""

        def holds(job: Object) -> bool:
            found = conditions(job).get(kind, {})
            return found.get("status") == status and reason in {"", found.get("reason")}

        job = self.wait(name, holds, f"{kind}={status} {reason}", seconds=seconds)
        return conditions(job)[kind]

    def wait(self, name: str, holds, what: str, *, seconds: float = 30) -> Object:
        """Wait until something holds for the job; say how it stood if it never did."""
        seen: list[Object] = []

        def look() -> Object | None:
            seen[:] = [self.get(name)]
            return seen[0] if holds(seen[0]) else None

        try:
            return wait_for(look, f"{name}: {what}", seconds=seconds)
        except Exception as error:
            error.add_note(f"status: {seen[0].get('status') if seen else None}")
            raise

    def finish(self, name: str, *, accuracy: float = 0.9, reason: str = "budget") -> None:
        """End a job well on simulated nodes, as its processes do: workers first."""
        stop = Stop(reason=reason, by="worker-0-0")
        done = LastWords(step=100, samples=1600, finished=True, released=True, stop=stop)
        for pod in self.live(name).values():
            self.end(pod, 0, done)
        for pod in self.live(name, Role.SERVER).values():
            self.end(pod, 0, done)
        result = done.model_copy(update={"result": Score(loss=0.25, accuracy=accuracy, epoch=1.0)})
        for pod in self.live(name, Role.EVALUATOR).values():
            self.end(pod, 0, result)

    def events(self, name: str) -> list[Object]:
        """List the Events that regard the job."""
        path = f"/apis/events.k8s.io/v1/namespaces/{self.namespace}/events"
        return [e for e in self.bed.api.list(path) if e.get("regarding", {}).get("name") == name]

    def log(self, pod: str, *options: str) -> str:
        """Return what a pod has said, an empty text if it cannot be had."""
        try:
            return self.bed.kubectl("logs", pod, "-n", self.namespace, *options)
        except BedError as error:
            return f"({error})"

    def records(self, pod: str) -> list[Object]:
        """Return the records of a pod's event log."""
        lines = self.log(pod).splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def logs(self) -> str:
        """Return the end of what every pod of the namespace has said."""
        names = [pod["metadata"]["name"] for pod in self.bed.api.list(self.pods_path)]
        return "\n".join(f"--- {name}\n{self.log(name, '--tail=15')}" for name in names)
