"""The entry of every process of a job: a container's command, or a child of the local launcher."""

import signal
from collections.abc import Mapping

import torch

from gossip_api.environment import EXIT_USER_ERROR, ProcessEnvironment
from gossip_api.errors import GossipApiError
from gossip_api.loading import load_job
from gossip_api.names import Role, member_name
from gossip_trainer.errors import DataError, DivergedError, GossipTrainerError, ModelError
from gossip_trainer.observability.events import EventLog, Failed
from gossip_trainer.process.evaluator import run_evaluator
from gossip_trainer.process.server import run_server
from gossip_trainer.process.task import build_task
from gossip_trainer.process.worker import run_worker
from gossip_trainer.transport.errors import CredentialsError

EXIT_FAILED = 1
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
        return EXIT_USER_ERROR
    name = member_name(environment.role, environment.rank, environment.incarnation)
    events = EventLog(environment.output / EVENTS_FILE, name)
    try:
        torch.set_num_interop_threads(1)
        task = build_task(load_job(environment.job_file), environment)
        RUNS[environment.role](environment, task, events)
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
    finally:
        events.close()
    return 0
