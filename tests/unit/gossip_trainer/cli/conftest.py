"""A job file in an empty working directory, and a launcher that neither trains nor draws."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gossip_api.loading import resolved_yaml
from gossip_trainer.cli import run as run_command
from gossip_trainer.cli.app import app
from gossip_trainer.launch.local_run import RunOptions, RunOutcome
from gossip_trainer.observability.event_log import EventLog
from gossip_trainer.observability.events import Finished, Progress, Record
from gossip_trainer.report import curves

JOB = """\
apiVersion: gossip.training/v1alpha1
kind: GossipTrainingJob
metadata: {name: digits}
spec:
  strategy: {type: Gossip}
  workers: {replicas: 8, minReplicas: 4}
  training:
    model: {name: mlp}
    data: {name: digits}
    optimizer: {name: sgd, learningRate: 0.1}
    budget: {samples: 1000}
"""
FINISHED = Finished(step=10, samples=320, released=True)


@pytest.fixture(autouse=True)
def working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def job_file(working_directory) -> Path:
    path = Path("job.yaml")
    path.write_text(JOB)
    return path


@pytest.fixture
def gossip():
    """Call the command line with arguments."""
    return lambda *arguments: CliRunner().invoke(app, [str(each) for each in arguments])


class Launcher:
    """Stands in for gossip_trainer.launch.local_run; remembers what it was asked for."""

    def __init__(self) -> None:
        self.runs: list[tuple[object, RunOptions]] = []
        self.outcome: RunOutcome | BaseException = RunOutcome("succeeded")
        self.records: list[Record] = [FINISHED]

    def __call__(self, job, options, watch):
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        self.runs.append((job, options))
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "job.yaml").write_text(resolved_yaml(job))
        log = EventLog(options.out / "events.jsonl", "worker-0-0")
        for record in self.records:
            log.emit(record)
        log.close()
        watch(list(self.records))
        return self.outcome


@pytest.fixture
def launcher(monkeypatch) -> Launcher:
    fake = Launcher()
    monkeypatch.setattr(run_command, "run_locally", fake)
    monkeypatch.setattr(curves, "draw_curves", lambda _history, path, _title: path.touch())
    return fake


@pytest.fixture
def outcome():
    return RunOutcome


@pytest.fixture
def progress() -> Progress:
    return Progress(
        source="worker-0-0",
        step=10,
        samples=320,
        job_samples=320,
        epoch=0.2,
        loss=1.0,
        learning_rate=0.1,
        samples_per_second=320.0,
        exchanges=9,
        lost=0,
        skipped=0,
        staleness=1.0,
        received_bytes=1000,
        sent_bytes=1000,
        unpublished=0,
        peers=7,
    )
