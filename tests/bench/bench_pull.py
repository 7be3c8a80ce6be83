"""How fast one process pulls a model from another over loopback, beside a bare receive loop.

The bare loop is what a program can do at best with blocking sockets: `sendall` of the whole buffer,
`recv_into` of the whole buffer, no framing, no digest, no deadline. Rounds of all ways are
interleaved, so that a machine that gets slower gets slower for all of them.

Run: python tests/bench/bench_pull.py [--rounds 5] [--pulls 20]
"""

import argparse
import multiprocessing as mp
import os
import resource
import socket
import ssl
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gossip_trainer.transport.chunks import ChunkDigests
from gossip_trainer.transport.client import PeerClient
from gossip_trainer.transport.identity import Identity
from gossip_trainer.transport.security import load_credentials
from gossip_trainer.transport.server import PeerServer
from gossip_trainer.transport.wire import SnapshotHeader

RESNET50_FLOATS = 25_557_032
SMALL_FLOATS = 262_144
WAYS = ("bare", "pull", "pull, new snapshot", "pull, TLS", "bare, TLS")
TARGET_RATIO = 0.85


class Quiet:
    """A courier with little to say."""

    def send(self) -> bytes:
        return bytes(100)

    def receive(self, member: str, blob: bytes) -> None:
        pass


@dataclass
class Published:
    """A snapshot and its source in one; `is_new` makes every pin find unknown digests."""

    memory: memoryview
    is_new: bool

    def __post_init__(self) -> None:
        self.header = SnapshotHeader(step=7, samples=224, loss=0.5)
        self.digests = ChunkDigests(self.memory.nbytes)

    def pin(self) -> "Published":
        if self.is_new:
            self.digests.reset()
        return self

    def release(self) -> None:
        pass


@dataclass(frozen=True)
class Cost:
    """One round: seconds per pull, and CPU seconds per pull of the two sides."""

    wall: float
    client_cpu: float
    server_cpu: float


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def content(num_floats: int) -> np.ndarray:
    return np.arange(num_floats, dtype=np.float32) % 977


def identity(rank: int, num_bytes: int) -> Identity:
    return Identity(job="bench", member=f"worker-{rank}-0", digest="floats", num_bytes=num_bytes)


def serve_bare(memory: memoryview, folder: Path | None) -> int:
    """Answer one-byte requests with the whole buffer; return the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if folder is not None:
            sock = load_credentials(folder).server.wrap_socket(sock, server_side=True)
        while sock.recv(1):
            if folder is None:
                sock.sendall(memory)
            else:
                for start in range(0, memory.nbytes, 1 << 20):
                    sock.sendall(memory[start : start + (1 << 20)])

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


def serve(pipe: Pipe, num_floats: int, folder: Path) -> None:
    """The serving process: announce the ports, then report CPU seconds whenever asked."""
    memory = memoryview(content(num_floats)).cast("B")
    credentials = load_credentials(folder)
    ports = {"bare": serve_bare(memory, None), "bare, TLS": serve_bare(memory, folder)}
    for way, is_new, tls in (
        ("pull", False, None),
        ("pull, new snapshot", True, None),
        ("pull, TLS", False, credentials),
    ):
        server = PeerServer(
            socket.create_server(("127.0.0.1", 0)),
            identity(0, memory.nbytes),
            Published(memory, is_new),
            Quiet(),
            tls=tls,
        )
        server.start()
        ports[way] = server.address[1]
    pipe.send(ports)
    while pipe.recv():
        pipe.send(cpu_seconds())


def bare_puller(port: int, into: memoryview, folder: Path | None) -> Callable[[], object]:
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if folder is not None:
        sock = load_credentials(folder).client.wrap_socket(sock)

    def pull() -> None:
        sock.sendall(b"p")
        got = 0
        while got < into.nbytes:
            got += sock.recv_into(into[got:])

    return pull


def pullers(
    ports: dict[str, int], into: memoryview, folder: Path
) -> dict[str, Callable[[], object]]:
    credentials = load_credentials(folder)

    def ours(way: str, tls: bool) -> Callable[[], object]:
        client = PeerClient(identity(1, into.nbytes), Quiet(), tls=credentials if tls else None)
        return lambda: client.pull(("127.0.0.1", ports[way]), into, expect="worker-0-0")

    return {
        "bare": bare_puller(ports["bare"], into, None),
        "pull": ours("pull", tls=False),
        "pull, new snapshot": ours("pull, new snapshot", tls=False),
        "pull, TLS": ours("pull, TLS", tls=True),
        "bare, TLS": bare_puller(ports["bare, TLS"], into, folder),
    }


def measure(num_floats: int, rounds: int, pulls: int, folder: Path) -> dict[str, list[Cost]]:
    """Pull from another process in all ways, round by round."""
    context = mp.get_context("spawn")
    pipe, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs, num_floats, folder), daemon=True)
    server.start()
    target = np.zeros(num_floats, dtype=np.float32)
    ways = pullers(pipe.recv(), memoryview(target).cast("B"), folder)

    def server_cpu() -> float:
        pipe.send(True)
        return pipe.recv()

    costs: dict[str, list[Cost]] = {way: [] for way in WAYS}
    for number in range(rounds + 1):  # the first round warms up
        for way in WAYS[number % len(WAYS) :] + WAYS[: number % len(WAYS)]:
            pull = ways[way]
            target.fill(0)
            own, other, start = cpu_seconds(), server_cpu(), time.perf_counter()
            for _ in range(pulls):
                pull()
            wall = time.perf_counter() - start
            cost = Cost(wall / pulls, (cpu_seconds() - own) / pulls, (server_cpu() - other) / pulls)
            if not (target == content(num_floats)).all():
                raise SystemExit(f"{way}: what arrived is not what was sent")
            if number:
                costs[way].append(cost)
    pipe.send(False)
    server.join(10)
    return costs


def make_certificate(folder: Path) -> None:
    """Write a certificate that is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bench")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.UniformResourceIdentifier("spiffe://gossip.training/ns/bench/job/bench")]
            ),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    ).public_bytes(serialization.Encoding.PEM)
    (folder / "tls.crt").write_bytes(certificate)
    (folder / "ca.crt").write_bytes(certificate)
    (folder / "tls.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def median(costs: list[Cost], pick: Callable[[Cost], float]) -> float:
    return statistics.median(map(pick, costs))


def report_large(costs: dict[str, list[Cost]], num_bytes: int) -> float:
    """Print a table; return the ratio of a plain pull's rate to the bare loop's."""
    size = num_bytes / 1e9
    bare = median(costs["bare"], lambda cost: cost.wall)
    print(
        f"{'way':<20} {'GB/s':>6} {'min':>6} {'max':>6} {'/ bare':>7} {'CPU-s/GB':>9} "
        f"{'client':>7} {'server':>7}"
    )
    for way, rounds in costs.items():
        rates = [size / cost.wall for cost in rounds]
        client = median(rounds, lambda cost: cost.client_cpu) / size
        server = median(rounds, lambda cost: cost.server_cpu) / size
        ratio = bare / median(rounds, lambda cost: cost.wall)
        print(
            f"{way:<20} {statistics.median(rates):6.2f} {min(rates):6.2f} {max(rates):6.2f} "
            f"{ratio:7.2f} {client + server:9.3f} {client:7.3f} {server:7.3f}"
        )
    return bare / median(costs["pull"], lambda cost: cost.wall)


def report_small(costs: dict[str, list[Cost]]) -> None:
    print(f"{'way':<20} {'us/pull':>8} {'CPU us':>8} {'client':>7} {'server':>7}")
    for way, rounds in costs.items():
        wall = median(rounds, lambda cost: cost.wall) * 1e6
        client = median(rounds, lambda cost: cost.client_cpu) * 1e6
        server = median(rounds, lambda cost: cost.server_cpu) * 1e6
        print(f"{way:<20} {wall:8.0f} {client + server:8.0f} {client:7.0f} {server:7.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pulls", type=int, default=20)
    arguments = parser.parse_args()
    print(
        f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, {ssl.OPENSSL_VERSION}, "
        f"{arguments.rounds} interleaved rounds, medians"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_certificate(folder)
        print(f"\n{RESNET50_FLOATS * 4 / 1e6:.1f} MB, {arguments.pulls} pulls a round")
        large = measure(RESNET50_FLOATS, arguments.rounds, arguments.pulls, folder)
        ratio = report_large(large, RESNET50_FLOATS * 4)
        print(f"\n{SMALL_FLOATS * 4 / 1e6:.1f} MB, {arguments.pulls * 25} pulls a round")
        report_small(measure(SMALL_FLOATS, arguments.rounds, arguments.pulls * 25, folder))
    print(f"\na plain pull reaches {ratio:.2f} of the bare loop's rate, wanted: {TARGET_RATIO}")


if __name__ == "__main__":
    main()
