"""Writing and reading the event log: one JSON object a line, appended by every process of a run."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import msgspec

from gossip_trainer.observability.events import Record

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Record)


def line_of(record: Record) -> bytes:
    """Return a record as a line of the log."""
    return _ENCODER.encode(record) + b"\n"


class EventSink(Protocol):
    """Where a process reports to."""

    def emit(self, record: Record) -> None:
        """Report `record`; fills in time and source."""
        ...


class EventLog:
    """Appends records to a file that other processes append to as well.

    Args:
        path: the file.
        source: the process.
        also: told of every record, with its time and source.
        clock: seconds since the epoch.

    """

    def __init__(
        self,
        path: Path,
        source: str,
        *,
        also: Callable[[Record], None] = lambda _record: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._source = source
        self._also = also
        self._clock = clock
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def emit(self, record: Record) -> None:
        """Append one line with one write."""
        stamped = msgspec.structs.replace(record, time=round(self._clock(), 6), source=self._source)
        os.write(self._file, line_of(stamped))
        self._also(stamped)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


class EventTail:
    """Reads a growing event log from its beginning, call by call."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def new(self) -> Iterator[Record]:
        """Yield the records that were completed since the last call."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._offset += len(line)
                yield _DECODER.decode(line)
