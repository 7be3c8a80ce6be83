"""A job's headless Service, the right to watch its slices, and pods that are its members."""

from pathlib import Path

import manifest_jobs
from testbed.bed import Bed
from testbed.waiting import wait_for

from gossip_api.names import Role, parse_member_name, pod_name
from gossip_operator.manifests.children import children
from gossip_trainer.membership.api_server import Access, ApiServer
from gossip_trainer.membership.roster import Endpoint, OnRoster, RosterSource
from gossip_trainer.membership.slice_roster import SliceRoster

JOB = "mnist"
PORT = 29400
OWN = Endpoint(Role.WORKER, 0, 0, "10.0.0.1", PORT)
KINDS = {
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
    "Service": "/api/v1/namespaces/{}/services",
}


class JobOfSlices:
    """What of a job membership sees, in one namespace.

    Args:
        bed: the Kubernetes.
        namespace: where.
        folder: for tokens.

    """

    def __init__(self, bed: Bed, namespace: str, folder: Path) -> None:
        self._bed = bed
        self._namespace = namespace
        self._folder = folder
        self._made = {
            each["kind"]: self._own(each)
            for each in children(
                manifest_jobs.job(JOB), uid=manifest_jobs.UID, owner={}, serves_pod_monitors=False
            )
            if each["kind"] in KINDS
        }
        for kind in ("ServiceAccount", "Service", "Role", "RoleBinding"):
            self.create(kind)

    def create(self, kind: str) -> None:
        """Create one of the job's children."""
        self._bed.api.create(KINDS[kind].format(self._namespace), self._made[kind])

    def delete(self, kind: str) -> None:
        """Delete one of the job's children."""
        name = self._made[kind]["metadata"]["name"]
        self._bed.api.delete(f"{KINDS[kind].format(self._namespace)}/{name}")

    def start(self, member: str, *, finalizers: tuple[str, ...] = ()) -> None:
        """Create a member's pod; with a finalizer it stays terminating when it is deleted."""
        labels = self._made["Service"]["spec"]["selector"]
        body = {
            "metadata": {
                "name": self._pod(member), "labels": labels, "finalizers": list(finalizers),
            },
            "spec": {
                "containers": [{"name": "trainer", "image": "none"}],
                "terminationGracePeriodSeconds": 30,
            },
        }  # fmt: skip
        self._bed.api.create(f"/api/v1/namespaces/{self._namespace}/pods", body)

    def delete_pod(self, member: str) -> None:
        self._bed.api.delete(self._path(member))

    def let_go(self, member: str) -> None:
        """Take a pod's finalizers away."""
        self._bed.api.patch(self._path(member), {"metadata": {"finalizers": None}})

    def set_ready(self, member: str, *, ready: bool) -> None:
        """Tell whether a pod answers its readiness probe, as its kubelet would."""
        status = {"conditions": [{"type": "Ready", "status": str(ready)}]}
        content = "application/strategic-merge-patch+json"
        self._bed.api.patch(f"{self._path(member)}/status", {"status": status}, content)

    def access(self) -> Access:
        """Return what a pod of the job's service account has."""
        name = self._made["ServiceAccount"]["metadata"]["name"]
        path = f"{KINDS['ServiceAccount'].format(self._namespace)}/{name}/token"
        answer = self._bed.api.create(path, {"spec": {"expirationSeconds": 3600}})
        token = self._folder / "token"
        token.write_text(answer["status"]["token"])
        host, _, port = self._bed.control_plane.pki.url.rpartition("//")[2].rpartition(":")
        return Access(host, int(port), token, self._bed.control_plane.pki.path("ca.crt"))

    def watch(
        self, access: Access, *, fall_back=None, on_roster: OnRoster = lambda _: None
    ) -> RosterSource:
        """Open a roster of the job."""

        def nowhere() -> RosterSource:
            raise AssertionError("slices may be read")

        return SliceRoster(
            ApiServer(access),
            namespace=self._namespace,
            service=f"{JOB}-peers",
            job=JOB,
            own=OWN,
            fall_back=fall_back or nowhere,
            on_roster=on_roster,
        )

    def _own(self, manifest: dict) -> dict:
        """Take a child as it is, but in this namespace and without an owner."""
        metadata = {"name": manifest["metadata"]["name"], "labels": manifest["metadata"]["labels"]}
        own = manifest | {"metadata": metadata}
        if "subjects" in own:
            own["subjects"] = [each | {"namespace": self._namespace} for each in own["subjects"]]
        return own

    def _pod(self, member: str) -> str:
        parsed = parse_member_name(member)
        return pod_name(JOB, parsed.role, parsed.index, parsed.incarnation)

    def _path(self, member: str) -> str:
        return f"/api/v1/namespaces/{self._namespace}/pods/{self._pod(member)}"


def settle(holds, what: str, seconds: float = 20.0) -> None:
    """Wait until something holds."""
    wait_for(holds, what, seconds=seconds)
