"""The cluster's names: CoreDNS as a process of the host, which kubelets tell pods to ask."""

from testbed import network
from testbed.control_plane import LOOPBACK, ControlPlane

HEALTH_PORT = 18080


def start(control_plane: ControlPlane) -> None:
    path = control_plane.folder / "Corefile"
    path.write_text(f"""
.:53 {{
  bind {network.GATEWAY}
  errors
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {control_plane.pki.path("admin.kubeconfig")}
    pods insecure
    ttl 5
  }}
  health {LOOPBACK}:{HEALTH_PORT}
}}
""")
    control_plane.processes.start("coredns", [control_plane.programs / "coredns", "-conf", path])
