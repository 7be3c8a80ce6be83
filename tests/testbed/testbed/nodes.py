"""Real nodes: containerd, kubelet and kube-proxy in a network namespace each.

Containers see the host's programs, the Python environment and the sources of this checkout, all
read-only, so that images need not hold gigabytes and pods need no volumes for it.
"""

import json
import socket
import subprocess
import sys
from pathlib import Path

from testbed import cgroups, images, network, node_settings
from testbed.control_plane import ControlPlane
from testbed.errors import BedError
from testbed.processes import Processes
from testbed.simulated_nodes import is_ready
from testbed.waiting import wait_for

CHECKOUT = Path(__file__).parents[3]
SHOWN = (
    Path("/usr"),
    Path("/etc/alternatives"),
    Path("/etc/ld.so.cache"),
    Path("/etc/ssl"),
    Path(sys.base_prefix),
    Path(sys.prefix),
)
"""What of the host every container sees where it is."""

ELSEWHERE = {
    Path(sys.prefix): Path("/opt/testbed/environment"),
    CHECKOUT / "operator": Path("/opt/testbed/operator"),
    CHECKOUT / "trainer": Path("/opt/testbed/trainer"),
}
"""What it sees in another place: a pod may have a volume where the checkout is, at /tmp say."""


def name(node: int) -> str:
    return network.namespace(node)


def containerd(node: int) -> str:
    """Return the name of a node's process, like the next two."""
    return f"containerd-{name(node)}"


def kubelet(node: int) -> str:
    return f"kubelet-{name(node)}"


def proxy(node: int) -> str:
    return f"kube-proxy-{name(node)}"


def bring_up(control_plane: ControlPlane) -> None:
    """Start all nodes and wait until they are ready."""
    archives = _write_images(control_plane)
    for node in network.NODES:
        _prepare(control_plane, node)
        _start_containerd(control_plane.processes, node)
    for node in network.NODES:
        _import(control_plane.folder, node, archives)
        start_kubelet(control_plane, node)
        _start_proxy(control_plane, node)
    for node in network.NODES:
        _await(control_plane, node)


def boot(control_plane: ControlPlane, node: int) -> None:
    """Start a node that was killed and wait until it is ready."""
    _start_containerd(control_plane.processes, node)
    start_kubelet(control_plane, node)
    _start_proxy(control_plane, node)
    _await(control_plane, node)


def start_kubelet(control_plane: ControlPlane, node: int) -> None:
    folder = _folder(control_plane.folder, node)
    control_plane.processes.start(
        kubelet(node),
        [
            *network.inside(node),
            control_plane.programs / "kubenode",
            "kubelet",
            f"--kubeconfig={control_plane.pki.path(f'node-{name(node)}.kubeconfig')}",
            f"--config={folder / 'kubelet.json'}",
            f"--root-dir={folder / 'kubelet'}",
            f"--cert-dir={folder / 'kubelet' / 'pki'}",
            f"--hostname-override={name(node)}",
            f"--node-ip={network.address(node)}",
            f"--node-labels=testbed/node={node},topology.kubernetes.io/zone=zone-{node}",
        ],
    )


def kill(processes: Processes, node: int) -> None:
    """Kill all that runs on a node."""
    processes.kill([kubelet(node), proxy(node), containerd(node)])
    for group in _groups(node):
        cgroups.kill(group)


def kill_pod(uid: str) -> None:
    """Kill the processes of a pod's containers, as the kernel does when memory runs out."""
    killed = [
        cgroups.kill_within(_groups(node)[0], f"pod{uid}", spare="pause") for node in network.NODES
    ]
    if not any(killed):
        raise BedError(f"no process of pod {uid} on any node")


def take_down(processes: Processes) -> None:
    """Remove all there is of the nodes but their network."""
    for node in network.NODES:
        kill(processes, node)
    _unmount(processes.folder)
    for node in network.NODES:
        for group in _groups(node):
            cgroups.remove(group)
    _remove_log_links(processes.folder)
    _remove_dead_sockets()


def _await(control_plane: ControlPlane, node: int, *, seconds: float = 60) -> None:
    path = f"/api/v1/nodes/{name(node)}"

    def is_up() -> bool:
        for process in (containerd(node), kubelet(node), proxy(node)):
            control_plane.processes.check(process)
        return control_plane.api.exists(path) and is_ready(control_plane.api.get(path))

    wait_for(is_up, f"readiness of node {name(node)}", seconds=seconds)


def _prepare(control_plane: ControlPlane, node: int) -> None:
    for group in _groups(node):
        cgroups.make(group)
    folder = _folder(control_plane.folder, node)
    for part in ("cni", "kubelet", "logs", "volume-plugins"):
        (folder / part).mkdir(parents=True)
    files = {
        "container.json": json.dumps(_container_spec()),
        "containerd.toml": node_settings.containerd(folder, shims=_groups(node)[1]),
        "cni/bridge.conflist": json.dumps(node_settings.pod_network(folder, node)),
        "resolv.conf": f"nameserver {network.GATEWAY}\n",
        "kubelet.json": json.dumps(node_settings.kubelet(folder, control_plane.pki, node)),
        "proxy.json": json.dumps(node_settings.proxy(control_plane.pki, node)),
    }
    for path, content in files.items():
        (folder / path).write_text(content)


def _container_spec() -> dict:
    """Return what containers begin from: containerd's own, and the host's folders."""
    spec = json.loads(_run("ctr", "oci", "spec"))
    in_place = {path: path for path in SHOWN}
    for source, destination in [*in_place.items(), *ELSEWHERE.items()]:
        if source.exists():
            shown = {"destination": str(destination), "source": str(source), "type": "bind"}
            spec["mounts"].append(shown | {"options": ["rbind", "ro"]})
    return spec


def _write_images(control_plane: ControlPlane) -> list[Path]:
    folder = control_plane.folder / "images"
    folder.mkdir()
    made = {
        "pause.tar": images.pause(control_plane.programs / "pause"),
        "host.tar": images.host(
            f"{ELSEWHERE[Path(sys.prefix)]}/bin",
            ":".join(str(ELSEWHERE[CHECKOUT / part]) for part in ("operator", "trainer")),
        ),
    }
    for file, image in made.items():
        image.write(folder / file)
    return [folder / file for file in made]


def _start_containerd(processes: Processes, node: int) -> None:
    folder = _folder(processes.folder, node)
    config = folder / "containerd.toml"
    command = [*network.inside(node), "containerd", "--config", config, "--log-level", "warn"]
    processes.start(containerd(node), command)

    def answers() -> bool:
        processes.check(containerd(node))
        asked = subprocess.run(
            ["ctr", "--address", node_settings.socket(folder), "version"],
            capture_output=True,
            check=False,
            timeout=20,
        )
        return asked.returncode == 0

    wait_for(answers, f"answer of {containerd(node)}")


def _import(folder: Path, node: int, archives: list[Path]) -> None:
    ctr = ["ctr", "--address", node_settings.socket(_folder(folder, node)), "--namespace", "k8s.io"]
    for archive in archives:
        _run(*ctr, "images", "import", str(archive))
    _run(*ctr, "images", "tag", images.HOST, *images.PRODUCT)
    for image in (images.PAUSE, images.HOST, *images.PRODUCT):
        _run(*ctr, "images", "label", image, "io.cri-containerd.image=managed")


def _start_proxy(control_plane: ControlPlane, node: int) -> None:
    config = _folder(control_plane.folder, node) / "proxy.json"
    program = control_plane.programs / "kubenode"
    command = [*network.inside(node), program, "kube-proxy", f"--config={config}"]
    control_plane.processes.start(proxy(node), command)


def _groups(node: int) -> tuple[str, str]:
    """Return the groups of a node's containers and of the shims that hold them."""
    return name(node), f"{name(node)}-shims"


def _folder(bed: Path, node: int) -> Path:
    return bed / name(node)


def _unmount(folder: Path) -> None:
    """Unmount all below a folder, the innermost first."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((m for m in mounts if m.startswith(f"{folder}/")), reverse=True):
        _run("umount", "--lazy", mount)


def _remove_log_links(folder: Path) -> None:
    """Remove links that kubelets put into a folder of the machine."""
    for link in Path("/var/log/containers").glob("*"):
        if link.is_symlink() and link.readlink().is_relative_to(folder):
            link.unlink()


def _remove_dead_sockets() -> None:
    """Remove what shims that were killed listened on, in a folder of the machine."""
    for path in Path("/run/containerd/s").glob("*"):
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()


def _run(*command: str) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise BedError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
