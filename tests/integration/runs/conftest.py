"""Runs whole jobs on this machine, real processes over real sockets, and reads what they tell."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from gossip_api.loading import parse_job
from gossip_trainer.launch.local_run import RunOptions, RunOutcome, run_locally
from gossip_trainer.observability.event_log import EventTail
from gossip_trainer.observability.events import Evaluation, Record

SAMPLES = Path(__file__).parents[3] / "manifests" / "samples"
Watch = Callable[[list[Record]], None]


@dataclass(frozen=True)
class Run:
    """A run that is over."""

    outcome: RunOutcome
    records: list[Record]
    out: Path

    def of(self, kind):
        return [record for record in self.records if isinstance(record, kind)]

    @property
    def final(self) -> Evaluation:
        (final,) = [e for e in self.of(Evaluation) if e.final]
        return final


def digits_job(**changes: object) -> dict:
    """Return a quick job document; `changes` replace parts of its spec by dotted path."""
    document = yaml.safe_load((SAMPLES / "digits.yaml").read_text())
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = document["spec"]
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return document


@pytest.fixture
def run_job(tmp_path):
    """Return a function that runs a job document to its end and gives what it recorded."""

    def run(document: dict, watch: Watch = lambda _records: None, **options: object) -> Run:
        out = tmp_path / f"run-{threading.get_ident()}-{len(list(tmp_path.iterdir()))}"
        job = parse_job(yaml.safe_dump(document))
        outcome = run_locally(job, RunOptions(out=out, **options), watch)
        return Run(outcome, list(EventTail(out / "events.jsonl").new()), out)

    return run


@pytest.fixture
def digits():
    return digits_job


@pytest.fixture
def samples():
    return SAMPLES
