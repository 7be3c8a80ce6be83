"""Reads the folders of runs and comparisons: the one part of the page that does input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from gossip_api.errors import InvalidJob
from gossip_api.loading import load_job
from gossip_trainer.errors import GossipTrainerError
from gossip_trainer.observability.events import Record
from gossip_trainer.page.meetings import Meetings
from gossip_trainer.report.files import EVENTS, SUMMARY
from gossip_trainer.report.history import History, fold
from gossip_trainer.report.summarize import summarize
from gossip_trainer.report.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gossip_api.job import GossipTrainingJob

JOB = "job.yaml"


class UnreadableRun(GossipTrainerError):  # noqa: N818 - it names the run
    """A folder holds no run that could be shown; the text says what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLog:
    """All that a run's folder tells.

    Attributes:
        label: how the page calls it.
        job: what was asked for.
        job_text: the same as it stands in the folder.
        history: what happened.
        meetings: who exchanged with whom.
        summary: how it ended; put together from the history where the run was killed before.
        warnings: what is missing or cut off.

    """

    label: str
    job: GossipTrainingJob
    job_text: str
    history: History
    meetings: Meetings
    summary: Summary
    warnings: tuple[str, ...]


def read_run(folder: Path, label: str) -> RunLog:
    """Read a run's folder, even of one that goes on or was killed.

    Raises:
        UnreadableRun: there is no job or no event log, or none of its lines is a record.

    """
    job, text = _read_job(folder / JOB)
    log = _Log(folder / EVENTS)
    records = list(log.records())
    if not records:
        raise UnreadableRun(
            f"{folder / EVENTS}: holds no record; the run ended before anything happened, or this "
            "is no event log"
        )
    history = fold(records)
    warnings = log.warnings(label)
    summary = _read_summary(folder / SUMMARY)
    if summary is None:
        warnings.append(f"{label}: has no readable {SUMMARY}; it goes on, or it was killed")
        reason = "the log ends without saying how the run ended"
        summary = summarize(history, job, state="interrupted", reason=reason)
    return RunLog(
        label=label,
        job=job,
        job_text=text,
        history=history,
        meetings=Meetings.of(records),
        summary=summary,
        warnings=tuple(warnings),
    )


def _read_job(path: Path) -> tuple[GossipTrainingJob, str]:
    try:
        return load_job(path), path.read_text(encoding="utf-8")
    except InvalidJob as error:
        raise UnreadableRun(
            f"{path}: is missing or not a job this version can read; name the folder of a run, "
            f"such as runs/digits ({error})"
        ) from error


def _read_summary(path: Path) -> Summary | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Summary)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


class _Log:
    """An event log whose lines may be torn: a line that is no record is counted and left out."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._num_torn = 0
        self._ends_torn = False

    def records(self) -> Iterator[Record]:
        """Yield the records."""
        decode = msgspec.json.Decoder(Record).decode
        try:
            with self._path.open("rb") as file:
                for line in file:
                    if not line.endswith(b"\n"):
                        self._ends_torn = True
                        return
                    try:
                        yield decode(line)
                    except msgspec.DecodeError:
                        self._num_torn += 1
        except OSError as error:
            raise UnreadableRun(
                f"{self._path}: {error.strerror}; name the folder of a run, such as runs/digits"
            ) from error

    def warnings(self, label: str) -> list[str]:
        """Return what to tell about the lines that were left out."""
        found = []
        if self._num_torn:
            lines = (
                "line is no record and was"
                if self._num_torn == 1
                else "lines are no records and were"
            )
            found.append(f"{label}: {self._num_torn:,} {lines} left out")
        if self._ends_torn:
            found.append(f"{label}: the last line was cut off and was left out")
        return found
