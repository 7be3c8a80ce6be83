"""What can be done to a bed, and undone."""

import signal
from dataclasses import dataclass

from testbed import network, nodes
from testbed.control_plane import ControlPlane


@dataclass(frozen=True)
class Faults:
    """The faults of one bed; nodes are numbered from 1."""

    control_plane: ControlPlane

    def kill_api_server(self) -> None:
        self.control_plane.processes.stop("kube-apiserver", signal.SIGKILL)

    def restore_api_server(self) -> None:
        """Start it again and wait until it is ready."""
        self.control_plane.start_api_server()

    def kill_etcd(self) -> None:
        self.control_plane.processes.stop("etcd", signal.SIGKILL)

    def restore_etcd(self) -> None:
        self.control_plane.start_etcd()

    def kill_node(self, node: int) -> None:
        """Let a real node lose its power: kubelet and all containers die at once."""
        nodes.kill(self.control_plane.processes, node)

    def restore_node(self, node: int) -> None:
        """Boot a node that was killed and wait until it is ready."""
        nodes.boot(self.control_plane, node)

    def kill_kubelet(self, node: int) -> None:
        """Let only the kubelet die: the node counts as gone, and its containers go on."""
        self.control_plane.processes.stop(nodes.kubelet(node), signal.SIGKILL)

    def restore_kubelet(self, node: int) -> None:
        nodes.start_kubelet(self.control_plane, node)

    def cut_link(self, node: int) -> None:
        """Cut a node off from the control plane and all other nodes."""
        network.cut(node)

    def mend_link(self, node: int) -> None:
        network.mend(node)
