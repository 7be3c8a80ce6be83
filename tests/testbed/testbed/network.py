"""The nodes' network: one namespace per node, joined by a bridge that the host is on too.

Nothing is masqueraded or forwarded by the host, so the nodes reach each other and the control
plane, and nothing else.
"""

import subprocess
from typing import Final

from testbed.control_plane import SERVICES

BRIDGE: Final = "tbbr0"
GATEWAY: Final = "10.200.0.1"
"""The host on the bridge, where API server and name service listen."""

NODES: Final = (1, 2, 3)
PODS: Final = "10.201.0.0/16"


def namespace(node: int) -> str:
    return f"tbn{node}"


def address(node: int) -> str:
    return f"10.200.0.1{node}"


def pods(node: int) -> str:
    """Return the addresses of a node's pods."""
    return f"10.201.{node}.0/24"


def link(node: int) -> str:
    """Return the host's end of a node's link."""
    return f"tbv{node}"


def inside(node: int) -> list[str]:
    """Return what to put before a command that is to run in a node's network.

    `ip netns exec` would mount another /sys there, in which there are no cgroups.
    """
    return ["nsenter", f"--net=/run/netns/{namespace(node)}"]


def bring_up() -> None:
    _ip("link", "add", BRIDGE, "type", "bridge")
    _ip("address", "add", f"{GATEWAY}/24", "dev", BRIDGE)
    _ip("link", "set", BRIDGE, "up")
    for node in NODES:
        _add(node)
    _ip("route", "add", SERVICES, "via", address(NODES[0]))


def take_down() -> None:
    """Remove all there is of it."""
    for node in NODES:
        _try("ip", "netns", "delete", namespace(node))
        _try("ip", "link", "delete", link(node))
    _try("ip", "link", "delete", BRIDGE)


def cut(node: int) -> None:
    """Cut a node off from everything else; what runs there goes on."""
    _ip("link", "set", link(node), "down")


def mend(node: int) -> None:
    _ip("link", "set", link(node), "up")


def _add(node: int) -> None:
    name = namespace(node)
    _ip("netns", "add", name)
    _ip("link", "add", link(node), "type", "veth", "peer", "name", "eth0", "netns", name)
    _ip("link", "set", link(node), "master", BRIDGE, "up")
    _ip("-n", name, "address", "add", f"{address(node)}/24", "dev", "eth0")
    for interface in ("lo", "eth0"):
        _ip("-n", name, "link", "set", interface, "up")
    _ip("-n", name, "route", "add", "default", "via", GATEWAY)
    for other in NODES:
        if other != node:
            _ip("-n", name, "route", "add", pods(other), "via", address(other))
    _ip("route", "add", pods(node), "via", address(node))
    _run(*inside(node), "sysctl", "-qw", "net.ipv4.ip_forward=1")
    # Where the bridge's packets pass iptables a Service's own pods reach it too.
    _try(*inside(node), "sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=1")


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)


def _try(*command: str) -> None:
    """Run what may fail because there is nothing to do or because this kernel lacks it."""
    subprocess.run(command, check=False, capture_output=True, timeout=30)
