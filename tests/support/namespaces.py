"""Machines with links of their own, made of network namespaces on this one.

Every machine's link leads to a bridge, which lies in a namespace too, so the host's own network is
left alone. Both ends of a link let so many bits per second through and no more.
"""

import ctypes
import os
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CLONE_NEWNET = 0x40000000
INTERFACE = "eth0"
BURST, QUEUE = "16kb", "256kb"  # a switch port's; with much less, TCP loses whole windows


@dataclass(frozen=True)
class Machine:
    """A namespace with one link.

    Attributes:
        namespace: its name.
        address: of its interface.

    """

    namespace: str
    address: str

    def enter(self) -> None:
        """Move this process there; it must not have threads yet."""
        libc = ctypes.CDLL(None, use_errno=True)
        with Path(f"/run/netns/{self.namespace}").open("rb") as file:
            if libc.setns(file.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"cannot enter {self.namespace}")

    def prefix(self) -> list[str]:
        """Return what to put before a command that is to run there."""
        return ["ip", "netns", "exec", self.namespace]


def obstacle() -> str | None:
    """Say why namespaces cannot be made here; None if they can."""
    name = f"gossip-{uuid.uuid4().hex[:8]}"
    try:
        run("ip", "netns", "add", name)
    except FileNotFoundError:
        return "needs ip and tc (Debian package iproute2)"
    except subprocess.CalledProcessError as error:
        return f"network namespaces are not permitted here: {error.stderr.strip()}"
    try:
        run("tc", "-n", name, "qdisc", "add", "dev", "lo", "root", "tbf", *limit("1mbit"))
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        return f"bandwidth cannot be limited here: {getattr(error, 'stderr', error)}"
    finally:
        run("ip", "netns", "del", name)
    return None


@contextmanager
def machines(rates: Sequence[str | None]) -> Iterator[list[Machine]]:
    """Make one machine for each rate, such as "100mbit"; None is as fast as it gets."""
    own = f"gossip-{os.getpid()}"
    bridge = f"{own}-bridge"
    made = [Machine(f"{own}-{index}", f"10.77.0.{index + 1}") for index in range(len(rates))]
    try:
        run("ip", "netns", "add", bridge)
        run("ip", "-n", bridge, "link", "add", "bridge", "type", "bridge")
        run("ip", "-n", bridge, "link", "set", "bridge", "up")
        for index, (machine, rate) in enumerate(zip(made, rates, strict=True)):
            connect(machine, bridge, f"port{index}", rate)
        yield made
    finally:
        for name in [*(machine.namespace for machine in made), bridge]:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def connect(machine: Machine, bridge: str, port: str, rate: str | None) -> None:
    """Make a machine and its link."""
    name = machine.namespace
    run("ip", "netns", "add", name)
    run("ip", "-n", name, "link", "set", "lo", "up")
    run(
        *("ip", "-n", name, "link", "add", INTERFACE, "type", "veth"),
        *("peer", "name", port, "netns", bridge),
    )
    run("ip", "-n", name, "address", "add", f"{machine.address}/24", "dev", INTERFACE)
    run("ip", "-n", name, "link", "set", INTERFACE, "up")
    run("ip", "-n", bridge, "link", "set", port, "master", "bridge", "up")
    # Of Kubernetes' nodes cubic is the usual one; this machine's own choice may be another.
    route = ("10.77.0.0/24", "dev", INTERFACE, "src", machine.address, "congctl", "cubic")
    run("ip", "-n", name, "route", "replace", *route)
    if rate is not None:
        for where, device in ((name, INTERFACE), (bridge, port)):
            run("tc", "-n", where, "qdisc", "add", "dev", device, "root", "tbf", *limit(rate))


def limit(rate: str) -> tuple[str, ...]:
    return ("rate", rate, "burst", BURST, "limit", QUEUE)


def run(*command: str) -> None:
    subprocess.run(command, capture_output=True, check=True, text=True)
