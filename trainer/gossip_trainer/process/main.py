"""The entry of every process of a job: a container's command, or a child of the local launcher."""

import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from gossip_api.environment import EXIT_USER_ERROR, PREFIX, ProcessEnvironment
from gossip_api.errors import GossipApiError
from gossip_api.loading import load_job
from gossip_api.names import Member, Role
from gossip_api.process import LastWords
from gossip_trainer.errors import DataError, DivergedError, GossipTrainerError, ModelError
from gossip_trainer.observability.event_log import EventLog, EventSink, line_of
from gossip_trainer.observability.events import Failed, Fenced, Record
from gossip_trainer.process.evaluator import run_evaluator
from gossip_trainer.process.last_words import leave_last_words
from gossip_trainer.process.metrics.page import MetricsPage, leave_page
from gossip_trainer.process.server import run_server
from gossip_trainer.process.standing import Standing
from gossip_trainer.process.status_server import open_status_server
from gossip_trainer.process.task import build_task
from gossip_trainer.process.worker import run_worker
from gossip_trainer.training.optimizers import warm_up
from gossip_trainer.transport.errors import CredentialsError

EXIT_FAILED = 1
STDOUT = 1
EVENTS_FILE = "events.jsonl"
RUNS = {Role.WORKER: run_worker, Role.SERVER: run_server, Role.EVALUATOR: run_evaluator}
USER_ERRORS = (DataError, ModelError, DivergedError, CredentialsError)


def main(environ: Mapping[str, str]) -> int:
    """Run the process that `environ` describes; return its exit code."""
    # The launcher decides what an interrupt means; until the process is ready for one it must not
    # die of the terminal's.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        environment = ProcessEnvironment.from_environ(environ)
    except GossipApiError as error:
        print(error)  # noqa: T201 - there is no event log yet
        last_words = environ.get(f"{PREFIX}LAST_WORDS")
        reason = " ".join(str(error).split())[:1000]
        leave_last_words(Path(last_words) if last_words else None, LastWords(reason=reason))
        return EXIT_USER_ERROR
    if environment.last_words is not None:
        # Whoever reads the last words can tell one that was told to go from one that is done. The
        # default would not do: the first process of a container is deaf to it.
        signal.signal(signal.SIGTERM, _leave)
    member = Member(environment.role, environment.rank, environment.incarnation)
    standing = Standing(member)
    metrics = MetricsPage(environment.role, standing)
    code, last_metrics = EXIT_FAILED, environment.last_metrics
    try:
        with ExitStack() as stack:
            tell = _teller(environment, standing, metrics)
            events = EventLog(environment.output / EVENTS_FILE, member.name, also=tell)
            stack.enter_context(closing(events))
            if environment.status is not None:
                server = open_status_server(environment.status, standing, metrics.write)
                stack.enter_context(closing(server))
                environment = replace(environment, status=server.address)
            try:
                code = _run(environment, events, standing, metrics)
            except SystemExit as left:
                code = left.code if isinstance(left.code, int) else EXIT_FAILED
                standing.has_left = True
            finally:
                standing.phase = "Leaving"
                leave_last_words(environment.last_words, standing.last_words(finished=code == 0))
    finally:
        # Not before the last answer, or a counter would fall from that to the page.
        leave_page(last_metrics, metrics)
    return code


def _run(
    environment: ProcessEnvironment, events: EventSink, standing: Standing, metrics: MetricsPage
) -> int:
    """Do what the process is for; return its exit code."""
    try:
        torch.set_num_interop_threads(1)
        on_replaced = partial(_stop_at_once, environment, events, standing)
        task = build_task(load_job(environment.job_file), environment, on_replaced)
        if environment.role is not Role.EVALUATOR:
            warm_up()
        RUNS[environment.role](environment, task, events, standing, metrics)
    except (GossipApiError, *USER_ERRORS) as error:
        events.emit(Failed(reason=str(error), user_error=True))
        return EXIT_USER_ERROR
    except GossipTrainerError as error:
        events.emit(Failed(reason=str(error)))
        return EXIT_FAILED
    except Exception as error:
        # A fault nobody foresaw, perhaps of the user's model: one line for the log, the traceback
        # for the process's own output.
        events.emit(Failed(reason=f"{type(error).__name__}: {error}".splitlines()[0]))
        raise
    return 0


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


def _stop_at_once(
    environment: ProcessEnvironment, events: EventSink, standing: Standing, successor: str
) -> None:
    """End here and now, whatever the other threads are at.

    A process whose place was given to another must not answer once more, nor take another step.
    """
    events.emit(Fenced(successor=successor))
    leave_last_words(environment.last_words, standing.last_words(finished=False))
    os._exit(0)
