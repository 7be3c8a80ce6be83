"""What every process of a job is wrapped in: its log, its standing, its metrics, its last words.

The shell turns whatever ends the process into an event, an exit code and last words. The trainer's
own processes and a user's script that opens a session run in the same one.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NoReturn

from gossip_api.environment import EXIT_USER_ERROR, PREFIX, ProcessEnvironment
from gossip_api.errors import GossipApiError
from gossip_api.names import Member
from gossip_api.process import LastWords
from gossip_trainer.errors import (
    DataError,
    DivergedError,
    GossipTrainerError,
    ModelError,
    PlacementError,
    SessionError,
)
from gossip_trainer.observability.event_log import EventLog, EventSink, line_of
from gossip_trainer.observability.events import Failed, Fenced, Record
from gossip_trainer.process.last_words import leave_last_words
from gossip_trainer.process.metrics.page import MetricsPage, leave_page
from gossip_trainer.process.standing import Standing
from gossip_trainer.process.status_server import open_status_server
from gossip_trainer.transport.errors import CredentialsError

EXIT_FAILED: Final = 1
STDOUT: Final = 1
EVENTS_FILE: Final = "events.jsonl"
USER_ERRORS: Final = (
    GossipApiError,
    DataError,
    ModelError,
    DivergedError,
    PlacementError,
    SessionError,
    CredentialsError,
)


@dataclass(slots=True)
class Shell:
    """One process of a job.

    Attributes:
        environment: what it was told; the status address is the one it serves at.
        events: its log.
        standing: how it fares.
        metrics: its page of metrics.
        code: its exit code, known when the shell has closed.

    """

    environment: ProcessEnvironment
    events: EventSink
    standing: Standing
    metrics: MetricsPage
    code: int = EXIT_FAILED

    def stop_at_once(self, successor: str) -> NoReturn:
        """End here and now, whatever the other threads are at.

        A process whose place was given to another must not answer once more, nor take another step.
        """
        self.events.emit(Fenced(successor=successor))
        leave_last_words(self.environment.last_words, self.standing.last_words(finished=False))
        os._exit(0)


def read_environment(environ: Mapping[str, str]) -> ProcessEnvironment:
    """Return what `environ` tells the process; leave the reason and exit if it makes no sense."""
    # The launcher decides what an interrupt means; until the process is ready for one it must not
    # die of the terminal's.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return ProcessEnvironment.from_environ(environ)
    except GossipApiError as error:
        print(error)  # noqa: T201 - there is no event log yet
        last_words = environ.get(f"{PREFIX}LAST_WORDS")
        reason = " ".join(str(error).split())[:1000]
        leave_last_words(Path(last_words) if last_words else None, LastWords(reason=reason))
        sys.exit(EXIT_USER_ERROR)


@contextmanager
def open_shell(environment: ProcessEnvironment) -> Iterator[Shell]:
    """Wrap the process; errors that the trainer can name end here, with their code in the shell."""
    if environment.last_words is not None:
        # Whoever reads the last words can tell one that was told to go from one that is done. The
        # default would not do: the first process of a container is deaf to it.
        signal.signal(signal.SIGTERM, _leave)
    member = Member(environment.role, environment.rank, environment.incarnation)
    standing = Standing(member)
    metrics = MetricsPage(environment.role, standing)
    try:
        with ExitStack() as stack:
            tell = _teller(environment, standing, metrics)
            events = EventLog(environment.output / EVENTS_FILE, member.name, also=tell)
            stack.enter_context(closing(events))
            if environment.status is not None:
                server = open_status_server(environment.status, standing, metrics.write)
                stack.enter_context(closing(server))
                environment = replace(environment, status=server.address)
            shell = Shell(environment, events, standing, metrics)
            with _last_words(shell):
                yield shell
    finally:
        # Not before the last answer, or a counter would fall from that to the page.
        leave_page(environment.last_metrics, metrics)


@contextmanager
def _last_words(shell: Shell) -> Iterator[None]:
    """Take in how the process ends, and leave word of it."""
    try:
        yield
        shell.code = 0
    except SystemExit as left:
        shell.code = left.code if isinstance(left.code, int) else EXIT_FAILED
        shell.standing.has_left = True
    except USER_ERRORS as error:
        shell.events.emit(Failed(reason=str(error), user_error=True))
        shell.code = EXIT_USER_ERROR
    except GossipTrainerError as error:
        shell.events.emit(Failed(reason=str(error)))
    except Exception as error:
        # A fault nobody foresaw, perhaps of the user's model: one line for the log, the traceback
        # for the process's own output.
        shell.events.emit(Failed(reason=f"{type(error).__name__}: {error}".splitlines()[0]))
        raise
    finally:
        shell.standing.phase = "Leaving"
        words = shell.standing.last_words(finished=shell.code == 0)
        leave_last_words(shell.environment.last_words, words)


def _teller(
    environment: ProcessEnvironment, standing: Standing, metrics: MetricsPage
) -> Callable[[Record], None]:
    """Return who hears of every event: standing, metrics and, in a container, the output."""

    def tell(record: Record) -> None:
        standing.note(record)
        metrics.note(record)
        if environment.last_words is not None:
            os.write(STDOUT, line_of(record))

    return tell


def _leave(_signal: int, _frame: object) -> None:
    """Go at once: this process has nothing yet, or nothing any more, that others would miss."""
    sys.exit(0)
