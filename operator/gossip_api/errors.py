"""Everything this package raises on purpose. Knows no file formats and no models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class GossipApiError(Exception):
    """Base of all errors of this package; its text is meant for the user."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a job file.

    `line` and `column` count from 1 and are None where there is no such place: a file that cannot
    be read, or a value given on the command line (`source` then is that option).
    """

    source: str
    line: int | None
    column: int | None
    path: str
    """Where in the document, for example `spec.strategy.gossip.period`; empty for all of it."""
    message: str

    def __str__(self) -> str:
        """Join what there is, as compilers do: `job.yaml:14:7: spec.workers: message`."""
        place = self.source if self.line is None else f"{self.source}:{self.line}:{self.column}"
        return ": ".join(part for part in (place, self.path, self.message) if part)


class InvalidJob(GossipApiError):  # noqa: N818 - it names the job, as `InvalidJob` in user code
    """A job document that cannot be used, with everything that is wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class InvalidEnvironment(GossipApiError):  # noqa: N818 - see InvalidJob
    """Environment variables of a job's process that are missing or malformed."""
