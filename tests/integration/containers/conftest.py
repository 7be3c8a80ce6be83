"""A job's processes as containers run them: each with an address, a status and last words.

The test plays Kubernetes: it starts containers in whatever order, sends signals, restarts them in
place, and keeps the roster, in a directory instead of EndpointSlices.
"""

import http.client
import itertools
import os
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from gossip_api.environment import ProcessEnvironment
from gossip_api.names import Member, parse_member_name
from gossip_api.process import LastWords, ProcessStatus
from gossip_trainer.launch.processes import Child, Nursery
from gossip_trainer.membership.directory import remove_member
from gossip_trainer.observability.event_log import EventTail
from gossip_trainer.observability.events import Record

SAMPLES = Path(__file__).parents[3] / "manifests" / "samples"
DISCOVERY_PORT, METRICS_PORT = 29400, 9400
START_SECONDS = 40.0
hosts = (f"127.{os.getpid() % 200 + 20}.{n // 250}.{n % 250 + 1}" for n in itertools.count())


def wait_until(holds, seconds=START_SECONDS, what="it"):
    """Wait for a condition and return what it came to."""
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, f"{what} did not come about within {seconds} s"
        time.sleep(0.05)
    return found


@dataclass
class Container:
    """One container of a job."""

    member: Member
    child: Child
    host: str
    output: Path
    log: Path
    last_words_file: Path

    @property
    def pid(self) -> int:
        return self.child.process.pid

    def send(self, number: signal.Signals) -> None:
        self.child.send_signal(number)

    def wait(self, seconds: float = START_SECONDS) -> int:
        """Return its exit code once it has ended."""
        self.child.process.join(seconds)
        code = self.child.exit_code
        assert code is not None, f"{self.member.name} lives on:\n{self.log.read_text()[-3000:]}"
        return code

    @property
    def last_words(self) -> LastWords:
        words = LastWords.from_message(self.last_words_file.read_text())
        assert words is not None
        return words

    def get(self, path: str) -> tuple[int, str]:
        """Return status and body; (0, "") if nobody answers."""
        try:
            with closing(http.client.HTTPConnection(self.host, METRICS_PORT, timeout=2)) as line:
                line.request("GET", path)
                answer = line.getresponse()
                return answer.status, answer.read().decode()
        except OSError:
            return 0, ""

    @property
    def is_ready(self) -> bool:
        return self.get("/readyz")[0] == 200

    @property
    def status(self) -> ProcessStatus | None:
        code, body = self.get("/status")
        return ProcessStatus.model_validate_json(body) if code == 200 else None

    def wait_for_step(self, step: int) -> None:
        def is_there() -> bool:
            status = self.status
            return status is not None and status.phase == "Training" and status.step >= step

        wait_until(is_there, what=f"step {step} of {self.member.name}")


@dataclass
class Cluster:
    """What a test does with a job."""

    folder: Path
    document: dict
    nursery: Nursery = field(default_factory=lambda: Nursery(threads=1))
    uid: str = field(default_factory=lambda: str(uuid.uuid4()))
    containers: list[Container] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.folder / "job.yaml").write_text(yaml.safe_dump(self.document))

    @property
    def peers(self) -> Path:
        return self.folder / "peers"

    def start(self, name: str, *, fresh: bool = True, peers: Path | None = None) -> Container:
        """Start the container of a new pod."""
        return self._start(parse_member_name(name), next(hosts), fresh=fresh, peers=peers)

    def start_all(self, *names: str, **how) -> list[Container]:
        return [self.start(name, **how) for name in names]

    def restart(self, container: Container, *, fresh: bool = True) -> Container:
        """Start a container of the same pod again, as the kubelet does: everything stays."""
        return self._start(container.member, container.host, fresh=fresh, peers=None)

    def _start(self, member: Member, host: str, *, fresh: bool, peers: Path | None) -> Container:
        pod = self.folder / member.name
        pod.mkdir(exist_ok=True)
        last_words = pod / "termination-log"
        last_words.touch()
        environment = ProcessEnvironment(
            job_file=self.folder / "job.yaml",
            job_uid=self.uid,
            role=member.role,
            rank=member.index,
            incarnation=member.incarnation,
            peers=f"directory:{peers or self.peers}",
            listen=f"{host}:{DISCOVERY_PORT}",
            output=pod,
            trace=True,
            fresh=fresh,
            status=f"{host}:{METRICS_PORT}",
            last_words=last_words,
        )
        log = pod / "log"
        child = self.nursery.start(environment, log)
        container = Container(member, child, host, pod, log, last_words)
        self.containers.append(container)
        return container

    def remove(self, container: Container) -> None:
        """Take a dead one out of the roster, as Kubernetes does."""
        remove_member(self.peers, container.member.name)

    def records(self, container: Container, kind: type) -> list[Record]:
        records = EventTail(container.output / "events.jsonl").new()
        return [record for record in records if isinstance(record, kind)]


def digits_job(**changes: object) -> dict:
    """Return a quick job document; `changes` replace parts of its spec by dotted path."""
    document = yaml.safe_load((SAMPLES / "digits.yaml").read_text())
    settings = {"workers__replicas": 2, "evaluation__every": "1s"} | changes
    for path, value in settings.items():
        *parents, last = path.split("__")
        place = document["spec"]
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return document


@pytest.fixture
def cluster(tmp_path) -> Iterator:
    """Return a function that makes a cluster for a job; kills what is left at the end."""
    made = []

    def make(**changes: object) -> Cluster:
        made.append(Cluster(tmp_path, digits_job(**changes)))
        return made[-1]

    yield make
    for each in made:
        for container in each.containers:
            container.child.process.kill()
            container.child.process.join(10)
