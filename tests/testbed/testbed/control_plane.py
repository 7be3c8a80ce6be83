"""The control plane: etcd, API server, controller manager and scheduler as processes.

Each can be stopped and started again, which is how tests make it fail.
"""

import json
import random
import socket
import ssl
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from testbed.errors import BedError
from testbed.pki import Pki, make_pki
from testbed.processes import Processes
from testbed.rest import Api
from testbed.waiting import wait_for

LOOPBACK = "127.0.0.1"
SERVICES = "10.96.0.0/16"
FIRST_SERVICE = "10.96.0.1"
EVICTION_SECONDS = 5
"""How long pods stay on a node that is gone; Kubernetes' default is 300."""
GRACE_SECONDS = 10
"""How long a node may be silent before it counts as gone; Kubernetes' default is 50."""
REQUESTS_PER_SECOND = 500
"""Of controllers and scheduler; with the defaults of 20 and 50 a thousand pods take a minute."""
SERVER_PORTS = range(20_000, 32_768)


@dataclass(frozen=True)
class Addresses:
    """Where the control plane's processes listen.

    Attributes:
        host: of the API server; loopback or the bridge of the nodes.
        api: its port; the others are ports of loopback.

    """

    host: str
    api: int
    etcd: int
    etcd_peers: int
    controllers: int
    scheduler: int
    simulator: int

    @property
    def url(self) -> str:
        return f"https://{self.host}:{self.api}"

    @classmethod
    def choose(cls, host: str) -> "Addresses":
        """Take ports that are free now and stay free while a server is down."""
        with ExitStack() as stack:
            return cls(host, *(_free_port(where, stack) for where in (host, *[LOOPBACK] * 5)))


def _free_port(host: str, stack: ExitStack) -> int:
    """Find a port and hold it until the stack is closed.

    None of those the kernel gives to clients: one that asks a server that is down again and again
    would in the end be given that server's port, and be connected to itself.
    """
    for port in random.sample(SERVER_PORTS, 100):
        try:
            stack.enter_context(socket.create_server((host, port)))
        except OSError:
            continue
        return port
    raise BedError(f"{host} has no free port from {SERVER_PORTS[0]} to {SERVER_PORTS[-1]}")


@dataclass(frozen=True)
class ControlPlane:
    """The control plane of one bed.

    Attributes:
        folder: the bed's.
        programs: the folder of the programs.
        addresses: where it listens.

    """

    folder: Path
    programs: Path
    addresses: Addresses

    @classmethod
    def load(cls, folder: Path, programs: Path) -> "ControlPlane":
        """Find a control plane that another process brought up."""
        return cls(folder, programs, Addresses(**json.loads((folder / "addresses").read_text())))

    @property
    def processes(self) -> Processes:
        return Processes(self.folder)

    @property
    def pki(self) -> Pki:
        return Pki(self.folder / "pki", self.addresses.url)

    @property
    def api(self) -> Api:
        return Api(self.pki)

    def up(self, nodes: dict[str, str]) -> None:
        """Bring everything up; `nodes` are the addresses of real nodes by name."""
        (self.folder / "addresses").write_text(json.dumps(asdict(self.addresses)))
        hosts = [LOOPBACK, self.addresses.host, FIRST_SERVICE]
        make_pki(self.folder / "pki", self.addresses.url, hosts, nodes)
        self.start_etcd()
        self.start_api_server()
        self.start_controllers()
        self.start_scheduler()
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        wait_for(lambda: self.api.exists(account), "service account of namespace default")

    def start_etcd(self) -> None:
        clients = f"http://{LOOPBACK}:{self.addresses.etcd}"
        peers = f"http://{LOOPBACK}:{self.addresses.etcd_peers}"
        self.processes.start(
            "etcd",
            [
                self.programs / "etcd",
                "--name=testbed",
                f"--data-dir={self.folder / 'etcd'}",
                f"--listen-client-urls={clients}",
                f"--advertise-client-urls={clients}",
                f"--listen-peer-urls={peers}",
                f"--initial-advertise-peer-urls={peers}",
                f"--initial-cluster=testbed={peers}",
                "--unsafe-no-fsync",
                "--log-level=warn",
            ],
        )

    def start_api_server(self, *, seconds: float = 60) -> None:
        """Start it and wait until it is ready."""
        self._start("kube-apiserver", self._api_server_options())

        def is_ready() -> bool:
            self.processes.check("kube-apiserver")
            return self.api.is_ready()

        wait_for(is_ready, "readiness of the API server", seconds=seconds)

    def start_controllers(self, *, seconds: float = 60) -> None:
        config = self.pki.path("controller-manager.kubeconfig")
        port = self.addresses.controllers
        self._start(
            "kube-controller-manager",
            [
                f"--kubeconfig={config}",
                f"--authentication-kubeconfig={config}",
                f"--authorization-kubeconfig={config}",
                f"--bind-address={LOOPBACK}",
                f"--secure-port={port}",
                "--leader-elect=false",
                "--use-service-account-credentials=true",
                f"--root-ca-file={self.pki.path('ca.crt')}",
                f"--service-account-private-key-file={self.pki.path('accounts.key')}",
                "--allocate-node-cidrs=false",
                "--node-monitor-period=1s",
                f"--node-monitor-grace-period={GRACE_SECONDS}s",
                # A volume whose binding met a conflict waits for the next of these.
                "--pvclaimbinder-sync-period=2s",
                f"--kube-api-qps={REQUESTS_PER_SECOND}",
                f"--kube-api-burst={REQUESTS_PER_SECOND}",
            ],
        )
        self._await_health("kube-controller-manager", port, seconds)

    def start_scheduler(self, *, seconds: float = 60) -> None:
        config = self.pki.path("scheduler.kubeconfig")
        port = self.addresses.scheduler
        settings = {
            "apiVersion": "kubescheduler.config.k8s.io/v1",
            "kind": "KubeSchedulerConfiguration",
            "leaderElection": {"leaderElect": False},
            "clientConnection": {
                "kubeconfig": str(config),
                "qps": REQUESTS_PER_SECOND,
                "burst": REQUESTS_PER_SECOND,
            },
        }
        path = self.folder / "scheduler.json"
        path.write_text(json.dumps(settings))
        self._start(
            "kube-scheduler",
            [
                f"--config={path}",
                f"--authentication-kubeconfig={config}",
                f"--authorization-kubeconfig={config}",
                f"--bind-address={LOOPBACK}",
                f"--secure-port={port}",
            ],
        )
        self._await_health("kube-scheduler", port, seconds)

    def _api_server_options(self) -> list[str]:
        path = self.pki.path
        options = [
            f"--etcd-servers=http://{LOOPBACK}:{self.addresses.etcd}",
            f"--bind-address={self.addresses.host}",
            f"--advertise-address={self.addresses.host}",
            f"--secure-port={self.addresses.api}",
            f"--tls-cert-file={path('apiserver.crt')}",
            f"--tls-private-key-file={path('apiserver.key')}",
            f"--client-ca-file={path('ca.crt')}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={path('accounts.pub')}",
            f"--service-account-signing-key-file={path('accounts.key')}",
            f"--service-cluster-ip-range={SERVICES}",
            f"--kubelet-client-certificate={path('kubelet-client.crt')}",
            f"--kubelet-client-key={path('kubelet-client.key')}",
            f"--kubelet-certificate-authority={path('ca.crt')}",
            "--kubelet-preferred-address-types=InternalIP",
            f"--requestheader-client-ca-file={path('front-proxy-ca.crt')}",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-username-headers=X-Remote-User",
            f"--proxy-client-cert-file={path('front-proxy-client.crt')}",
            f"--proxy-client-key-file={path('front-proxy-client.key')}",
            f"--default-not-ready-toleration-seconds={EVICTION_SECONDS}",
            f"--default-unreachable-toleration-seconds={EVICTION_SECONDS}",
            "--shutdown-delay-duration=0s",
        ]
        if self.addresses.host == LOOPBACK:  # which may not be an endpoint of a Service
            options.append("--endpoint-reconciler-type=none")
        return options

    def _start(self, component: str, options: list[str]) -> None:
        self.processes.start(component, [self.programs / "kubenode", component, *options])

    def _await_health(self, component: str, port: int, seconds: float) -> None:
        def is_healthy() -> bool:
            self.processes.check(component)
            return _answers(port)

        wait_for(is_healthy, f"health of {component}", seconds=seconds)


def _answers(port: int) -> bool:
    """Ask a component's health, which it tells everybody; its certificate is its own."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with urlopen(f"https://{LOOPBACK}:{port}/healthz", timeout=2, context=context) as answer:
            return answer.status == 200
    except (URLError, OSError):
        return False
