"""A run whose processes are all gone, made ready for new ones that go on from its checkpoints."""

import json
import re
import shutil
from pathlib import Path
from typing import Final

from gossip_api.job import GossipTrainingJob
from gossip_api.names import parse_member_name
from gossip_trainer.errors import RunError
from gossip_trainer.observability.event_log import EventTail
from gossip_trainer.observability.events import Started
from gossip_trainer.report.files import EVENTS, SUMMARY

CHECKPOINTS_FOLDER: Final = "checkpoints"
PEERS_FOLDER: Final = "peers"
_ASIDE: Final = re.compile(r"events-(\d+)\.jsonl")


def check_resumable(job: GossipTrainingJob, out: Path) -> None:
    """Refuse to go on with a run that left nothing to go on from.

    Raises:
        RunError: says what is missing.

    """
    if job.spec.checkpoint is None:
        raise RunError(
            f"{out} cannot be resumed: its job has no spec.checkpoint, so nothing was saved; run "
            "the job anew, with a checkpoint"
        )
    folder = out / CHECKPOINTS_FOLDER
    if not any(folder.glob("worker-*/step-*/manifest.json")):
        raise RunError(
            f"{out} cannot be resumed: no worker has saved anything in {folder}; run the job anew"
        )


def check_unfinished(out: Path) -> None:
    """Refuse to go on with a run that came to its end.

    Raises:
        RunError: says what can be done with it.

    """
    summary = out / SUMMARY
    if summary.exists() and json.loads(summary.read_bytes()).get("outcome") == "succeeded":
        raise RunError(
            f"{out} has come to its end, so there is nothing to resume; give it more to do, for "
            f"example --set training.budget.epochs=20, or `gossip export {out}` its model"
        )


def make_ready(out: Path) -> int:
    """Put the earlier processes' traces aside; return the incarnation that new ones begin with.

    The event log goes to `events-<n>.jsonl`, numbered from 0, so that the report is about the
    processes that train now.
    """
    numbers = [int(match[1]) for p in out.iterdir() if (match := _ASIDE.fullmatch(p.name))]
    number = max(numbers, default=-1) + 1
    logs = [out / f"events-{each}.jsonl" for each in numbers]
    if (out / EVENTS).exists():
        logs.append((out / EVENTS).rename(out / f"events-{number}.jsonl"))
    shutil.rmtree(out / PEERS_FOLDER, ignore_errors=True)
    (out / SUMMARY).unlink(missing_ok=True)  # it was of the earlier processes
    return 1 + max((_newest_incarnation(log) for log in logs), default=-1)


def _newest_incarnation(log: Path) -> int:
    """Return the highest incarnation that a log tells of; -1 if it tells of none."""
    started = (each for each in EventTail(log).new() if isinstance(each, Started))
    return max((parse_member_name(each.source).incarnation for each in started), default=-1)
