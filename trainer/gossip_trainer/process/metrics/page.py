"""The page of metrics of one process, brought up to date whenever somebody asks for it.

Whatever is counted elsewhere is read only then, so the training loop pays nothing for it.
"""

import logging
import threading
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from prometheus_client import Counter

from gossip_api.job import JobSpec
from gossip_api.metrics import processes
from gossip_api.metrics.description import describe
from gossip_api.metrics.instruments import Instruments
from gossip_api.names import Role
from gossip_trainer.observability.events import Record
from gossip_trainer.process.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gossip_api.metrics.metric import Metric

log: Final = logging.getLogger(__name__)

OWN_METRICS: Final["Mapping[Role, tuple[Metric, ...]]"] = MappingProxyType(
    {
        Role.WORKER: processes.WORKER,
        Role.SERVER: processes.SERVER,
        Role.EVALUATOR: processes.EVALUATOR,
    }
)


class Source(Protocol):
    """Knows some of the metrics."""

    def note(self, record: Record) -> None:
        """Take in what the event log is told; called by the process's main thread."""
        ...

    def refresh(self) -> None:
        """Set the instruments; called before each page, by one thread at a time."""
        ...


class Total:
    """Brings a counter up to a total that is kept elsewhere and never falls."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._told = 0.0

    def set(self, total: float) -> None:
        """Show that total."""
        self._counter.inc(total - self._told)
        self._told = total


class MetricsPage:
    """What one process shows.

    Args:
        role: says which metrics there are.
        standing: knows what processes of every role have.

    Attributes:
        instruments: one for each metric, for the sources to set.

    """

    def __init__(self, role: Role, standing: Standing) -> None:
        self.instruments = Instruments((*processes.COMMON, *OWN_METRICS[role]))
        self._standing = standing
        self._sources: list[Source] = []
        self._guard = threading.Lock()

    def describe(self, spec: JobSpec) -> None:
        """Say from now on what the process works on."""
        words = {"version": metadata.version("gossip-training"), **describe(spec.strategy)}
        self.instruments.gauge(processes.INFO).labels(**words).set(1)

    def add(self, source: Source) -> None:
        """Show what `source` knows as well, from now on."""
        with self._guard:
            self._sources.append(source)

    def note(self, record: Record) -> None:
        """Take in what the event log is told."""
        for source in self._sources:
            source.note(record)

    def write(self) -> bytes:
        """Return the page as it is now; safe from any thread."""
        with self._guard:
            status = self._standing.status()
            self.instruments.gauge(processes.JOB_SAMPLES).set(status.job_samples)
            self.instruments.gauge(processes.PEERS).set(status.peers)
            for source in self._sources:
                source.refresh()
            return self.instruments.page()


def leave_page(path: Path | None, page: MetricsPage) -> None:
    """Leave the process's last page for whoever outlives it, if anybody asked for it.

    The file is there in full or not at all.
    """
    if path is None:
        return
    aside = path.with_name(f".{path.name}")
    try:
        aside.write_bytes(page.write())
        aside.replace(path)
    except OSError as error:
        # The exit code tells the worst of it, and the process must end with that one.
        log.warning("the last metrics cannot be left in %s: %s", path, error)
