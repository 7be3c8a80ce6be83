"""What a machine lacks for a kind of bed."""

import os
import shutil
from pathlib import Path

from testbed import build, cgroups
from testbed.bed import Kind
from testbed.errors import UnavailableError

PROGRAMS = ("containerd", "ctr", "runc", "conntrack", "ethtool", "ip", "iptables", "nsenter")
POD_NETWORK = Path("/usr/lib/cni/bridge")


def are_errors() -> bool:
    """Tell whether tests that cannot run here count as failed: in continuous integration."""
    return os.environ.get("CI") == "true"


def check(kind: Kind) -> None:
    """Raise UnavailableError with all that is missing and where it comes from."""
    missing = list(_missing(kind))
    if missing:
        raise UnavailableError(f"tests on {kind} need {'; '.join(missing)}")


def _missing(kind: Kind) -> list[str]:
    missing = []
    if not build.is_built() and shutil.which("go") is None:
        missing.append("Go, to build Kubernetes with (https://go.dev/dl)")
    if kind == Kind.CONTROL_PLANE:
        return missing
    if os.getuid() != 0:
        missing.append("root, for networks and containers")
    programs = [name for name in PROGRAMS if shutil.which(name) is None]
    if not POD_NETWORK.exists():
        programs.append(str(POD_NETWORK))
    if programs:
        missing.append(f"{', '.join(programs)} (tests/testbed/install)")
    if not cgroups.hierarchies():
        missing.append("control groups of version 1")
    return missing
