"""What the one who starts a process of a job tells it: a few environment variables.

The process learns everything else from the job file and from its peers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from gossip_api.errors import InvalidEnvironment
from gossip_api.names import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREFIX = "GOSSIP_"

EXIT_USER_ERROR = 64
"""Exit code of a process that finds the job itself at fault: trying again is in vain."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ProcessEnvironment:
    """Where a process of a job stands; every field is a variable `GOSSIP_<FIELD>`."""

    job_file: Path
    """The job document, the same for all processes of the job."""
    job_uid: str
    """Tells this job's processes from those of another job of the same name."""
    role: Role
    """What the process does."""
    rank: int
    """Rank of a worker, shard of a server, 0 for the evaluator."""
    incarnation: int
    """How many processes had this role and rank before."""
    peers: str
    """Where peers are found: `directory:/path`, `endpointslices:<namespace>/<service>` or
    `dns:<host>`, the headless Service's name."""
    listen: str
    """Address to serve at, `host:port`; port 0 lets the system choose."""
    output: Path
    """Folder for what the process leaves behind."""
    tls: Path | None = None
    """Folder with tls.crt, tls.key and ca.crt; None for plain TCP."""
    start_with: int = 1
    """How many workers must be up before training begins."""
    shared_memory: bool = False
    """Whether workers read each other's models from shared memory: all are on one machine."""
    trace: bool = False
    """Whether to log everything the algorithm is told, so that the run can be replayed."""
    fresh: bool = False
    """Whether nobody trains yet, as far as the one who starts it knows: who finds neither a peer to
    copy nor a checkpoint may begin from the seed then."""
    status: str | None = None
    """Address to serve `/status`, `/readyz` and `/metrics` at, `host:port`; None for none."""
    last_words: Path | None = None
    """File for the process's last words, read by Kubernetes as the termination message."""
    checkpoints: str | None = None
    """Folder or URL of the job's checkpoints, in which every process has a folder of its own; None
    where nothing is saved."""
    last_metrics: Path | None = None
    """File for the process's metrics as they were at its end; None where nobody outlives it who
    would read them."""

    def to_environ(self) -> dict[str, str]:
        """Write the variables; what is None is left out."""
        values = {
            "JOB_FILE": self.job_file,
            "JOB_UID": self.job_uid,
            "ROLE": self.role,
            "RANK": self.rank,
            "INCARNATION": self.incarnation,
            "PEERS": self.peers,
            "LISTEN": self.listen,
            "OUTPUT": self.output,
            "TLS": self.tls,
            "START_WITH": self.start_with,
            "SHARED_MEMORY": int(self.shared_memory),
            "TRACE": int(self.trace),
            "FRESH": int(self.fresh),
            "STATUS": self.status,
            "LAST_WORDS": self.last_words,
            "CHECKPOINTS": self.checkpoints,
            "LAST_METRICS": self.last_metrics,
        }
        return {PREFIX + name: str(value) for name, value in values.items() if value is not None}

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> ProcessEnvironment:
        """Read the variables; InvalidEnvironment names every one that is missing or malformed."""
        reader = _Reader(environ)
        environment = cls(
            job_file=reader.read("JOB_FILE", Path, fallback=Path()),
            job_uid=reader.read("JOB_UID", str, fallback=""),
            role=reader.read("ROLE", _role, fallback=Role.WORKER),
            rank=reader.read("RANK", _count, fallback=0),
            incarnation=reader.read("INCARNATION", _count, fallback=0),
            peers=reader.read("PEERS", str, fallback=""),
            listen=reader.read("LISTEN", _address, fallback=""),
            output=reader.read("OUTPUT", Path, fallback=Path()),
            tls=reader.read("TLS", Path, fallback=None, required=False),
            start_with=reader.read("START_WITH", _positive, fallback=1, required=False),
            shared_memory=reader.read("SHARED_MEMORY", _flag, fallback=False, required=False),
            trace=reader.read("TRACE", _flag, fallback=False, required=False),
            fresh=reader.read("FRESH", _flag, fallback=False, required=False),
            status=reader.read("STATUS", _address, fallback=None, required=False),
            last_words=reader.read("LAST_WORDS", Path, fallback=None, required=False),
            checkpoints=reader.read("CHECKPOINTS", str, fallback=None, required=False),
            last_metrics=reader.read("LAST_METRICS", Path, fallback=None, required=False),
        )
        if reader.problems:
            raise InvalidEnvironment("\n".join(reader.problems))
        return environment


class _Reader:
    """Reads variables one by one and remembers what was wrong with each."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def read(
        self, name: str, parse: Callable[[str], T], *, fallback: T, required: bool = True
    ) -> T:
        """Parse a variable; on a problem note it and return the fallback."""
        text = self._environ.get(PREFIX + name, "")
        try:
            if text:
                return parse(text)
        except ValueError as error:
            self.problems.append(f"{PREFIX}{name}: got {text!r}; must be {error}")
        else:
            if required:
                self.problems.append(f"{PREFIX}{name}: is not set; whoever starts it must set it")
        return fallback


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError:
        raise ValueError(f"one of {', '.join(Role)}") from None


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ValueError("a whole number, 0 or more")
    return int(text)


def _positive(text: str) -> int:
    if (count := _count(text)) < 1:
        raise ValueError("a whole number, 1 or more")
    return count


def _flag(text: str) -> bool:
    if text not in {"0", "1"}:
        raise ValueError("0 or 1")
    return text == "1"


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError("host:port, for example 127.0.0.1:0")
    return text
