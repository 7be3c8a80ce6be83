"""Releases of the chart on a test bed, and the operator that a release's pod would run."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from charts import CHART, Object, helm, read_objects
from fault_proxy import FaultProxy
from operators import Operator
from testbed.bed import Bed

DEFINITION = (
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gossiptrainingjobs.gossip.training"
)


@dataclass
class Release:
    """A release in a namespace.

    Attributes:
        name: its name, and that of its objects unless it is long.
        folder: for kubeconfigs and logs.

    """

    bed: Bed
    namespace: str
    folder: Path
    name: str = "gossip-training"
    _operators: list[Operator] = field(default_factory=list)

    def helm(self, command: str, *arguments: str | Path, seconds: float = 60) -> str:
        """Run a command of Helm that takes the release's name first."""
        return helm(
            *(command, self.name, *arguments, "--namespace", self.namespace),
            kubeconfig=self.bed.kubeconfig,
            seconds=seconds,
        )

    def install(self, *options: str, chart: Path = CHART, seconds: int = 60) -> str:
        """Install it and wait until the operator's pods are ready."""
        waiting = ("--wait", "--timeout", f"{seconds - 5}s")
        return self.helm("install", chart, *waiting, *options, seconds=seconds)

    def upgrade(self, *options: str, chart: Path = CHART) -> str:
        """Upgrade it and wait until the operator's new pods are ready."""
        return self.helm("upgrade", chart, "--wait", "--timeout", "55s", *options)

    def uninstall(self) -> str:
        return self.helm("uninstall", "--wait")

    @property
    def objects(self) -> list[Object]:
        """What Helm says it has installed."""
        return read_objects(
            helm(
                *("get", "manifest", self.name, "--namespace", self.namespace),
                kubeconfig=self.bed.kubeconfig,
            )
        )

    @property
    def deployment(self) -> Object:
        """The operator's Deployment."""
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments"
        selector = f"app.kubernetes.io/instance={self.name}"
        [found] = self.bed.api.list(path, labelSelector=selector)
        return found

    def start_operator(self, proxy: FaultProxy | None = None) -> Operator:
        """Run what the Deployment's pods do, here: nodes of the bed run pods only in name.

        It acts as the release's service account, by way of the proxy if there is one.
        """
        pod = self.deployment["spec"]["template"]["spec"]
        [container] = pod["containers"]
        config = self.bed.write_kubeconfig(self.namespace, pod["serviceAccountName"])
        if proxy is not None:
            token = json.loads(config.read_text())["users"][0]["user"]["token"]
            config = proxy.write_kubeconfig(f"release-{self.namespace}", token)
        options = (*container["args"], "--lease-namespace", self.namespace)
        log = self.folder / f"operator-{len(self._operators)}.log"
        operator = Operator(config, log, options=options)
        self._operators.append(operator)
        operator.start()
        return operator

    def clear_away(self) -> None:
        """End the operators, show their logs, and remove the release if it is there."""
        for operator in self._operators:
            operator.kill()
            print(operator.log.read_text())
        if self.is_installed:
            self.uninstall()

    @property
    def is_installed(self) -> bool:
        found = helm(
            *("list", "--all", "--short", "--namespace", self.namespace),
            kubeconfig=self.bed.kubeconfig,
        )
        return self.name in found.split()


def undefine(bed: Bed) -> None:
    """Make GossipTrainingJobs unknown, and with them all that there are."""
    bed.kubectl("delete", "crd", "gossiptrainingjobs.gossip.training", "--ignore-not-found")
