"""The operator as a process of its own, as a pod would run it, beside a test bed."""

import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from testbed.waiting import wait_for

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as listener:
        return listener.getsockname()[1]


@dataclass
class Operator:
    """One replica.

    Attributes:
        kubeconfig: whom it acts as.
        log: file that it writes to.
        namespaces: those it serves; none for all.
        options: further ones of `run`.

    """

    kubeconfig: Path
    log: Path
    namespaces: tuple[str, ...] = ()
    options: tuple[str, ...] = ("--no-leader-election",)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen | None = None

    def start(self, *, ready: bool = True) -> None:
        """Start it and wait until it has seen everything."""
        command = [
            *(sys.executable, "-m", "gossip_operator", "run"),
            *("--kubeconfig", str(self.kubeconfig)),
            *("--health-address", f"{LOOPBACK}:{self.port}"),
            *("--default-image", "testbed.local/host:1"),
            *(("--namespaces", ",".join(self.namespaces)) if self.namespaces else ()),
            *self.options,
        ]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        if ready:
            wait_for(self.is_ready, "readiness of the operator", seconds=30)

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def is_ready(self) -> bool:
        return self.answer("/readyz") == 200

    def answer(self, path: str) -> int:
        """Return the status of an answer; 0 if there is none."""
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self.port}{path}", timeout=5) as found:
                return found.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def page(self) -> str:
        """Return its metrics in Prometheus' text format."""
        with urllib.request.urlopen(f"http://{LOOPBACK}:{self.port}/metrics", timeout=5) as found:
            text: str = found.read().decode()
        return text

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of all samples of that name with these labels."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(self.page())
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def writes(self) -> float:
        """Return how many requests it has made that change anything, Leases aside."""
        verbs = ("create", "update", "patch", "apply", "delete")
        everything = sum(self.metric("gossip_operator_api_requests_total", verb=v) for v in verbs)
        leases = sum(
            self.metric("gossip_operator_api_requests_total", verb=v, resource="leases")
            for v in verbs
        )
        return everything - leases

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it without a chance to tidy up."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=10)

    def stop(self, *, seconds: float = 20) -> int:
        """End it well; return its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(timeout=seconds)
