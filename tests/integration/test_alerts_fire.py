"""The rules that come along, in a real Prometheus: alerts wait, fire, and end with their cause."""

import os
import signal
import subprocess
import sys
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest
import yaml
from operators import LOOPBACK, free_port
from prometheus import running, scrape
from testbed.waiting import wait_for

from gossip_api.metrics import operator
from gossip_api.metrics.instruments import CONTENT_TYPE, Instruments
from gossip_monitoring.rules import recording
from gossip_trainer.observability.page_server import Page, PageServer

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(240)]

MANIFESTS = Path(__file__).parents[2] / "manifests"
RULES = sorted((MANIFESTS / "monitoring" / "rules").glob("*.yaml"))
START_SECONDS = 120.0
END_SECONDS = 30.0


def named(found, name, *states):
    return [labels for labels in found.alerts(*states) if labels["alertname"] == name]


@contextmanager
def gossip_run(out: Path, port: int, *changes: str):
    """Run the digits job with two workers until the block ends, as a user would."""
    command = [
        str(Path(sys.executable).with_name("gossip")),
        *("run", str(MANIFESTS / "samples" / "digits.yaml"), "--workers", "2"),
        *("--out", str(out), "--metrics-port", str(port), "--format", "json"),
        *(word for change in changes for word in ("--set", change)),
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with out.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=END_SECONDS)


def test_a_run_that_skips_what_diverges_raises_the_alarm(tmp_path):
    port, alarm = free_port(), "GossipLossNonFinite"
    target = scrape("gossip-run", f"{LOOPBACK}:{port}")
    # One that stops at its first such loss is gone before anybody scrapes it.
    changes = (
        "training.optimizer.learningRate=1000000",
        "training.budget={seconds: 600}",
        "training.nonFinite=Skip",
    )
    with (
        running(tmp_path / "prometheus", [target], RULES) as found,
        gossip_run(tmp_path / "run", port, *changes),
    ):
        (labels,) = wait_for(
            lambda: named(found, alarm, "firing"), "the alarm", seconds=START_SECONDS
        )
        assert labels == {
            "alertname": alarm,
            "severity": "critical",
            "namespace": "local",
            "job_name": "digits",
        }
        assert [rule["name"] for rule in found.rules() if rule["health"] != "ok"] == []
        assert found.value(recording.TRAINING) == 1
        for rate in (recording.SAMPLE_RATE, recording.GOODPUT):
            recorded = partial(found.value, rate)
            assert wait_for(recorded, f"the second sample of {rate}", seconds=15) > 0
        # A local run has no operator, which must be so for minutes before it counts.
        assert named(found, "GossipOperatorDown", "pending")
        assert not named(found, "GossipOperatorDown", "firing")


def with_short_waits(path: Path, folder: Path) -> Path:
    """Copy a file of rules whose alerts must last for a few seconds instead of minutes."""
    document = yaml.safe_load(path.read_text())
    for group in document["groups"]:
        for rule in group["rules"]:
            if "for" in rule:
                rule["for"] = "3s"
    copy = folder / path.name
    copy.write_text(yaml.safe_dump(document))
    return copy


def test_an_alert_waits_before_it_fires_and_ends_with_its_cause(tmp_path):
    alarm, instruments = "GossipOperatorNoLeader", Instruments(operator.OPERATOR)
    leader = instruments.gauge(operator.LEADER)
    leader.set(1)
    rules = [with_short_waits(path, tmp_path) for path in RULES]
    answer = lambda _path: Page(instruments.page(), CONTENT_TYPE)  # noqa: E731
    with closing(PageServer(LOOPBACK, 0, answer)) as replica:
        target = scrape("gossip-operator", replica.address, labels={"namespace": "gossip-system"})
        with running(tmp_path / "prometheus", [target], rules) as found:
            found.wait_scraped()
            assert named(found, alarm) == []
            leader.set(0)
            wait_for(lambda: named(found, alarm, "pending"), "the wait", seconds=15)
            (labels,) = wait_for(lambda: named(found, alarm, "firing"), "the alarm", seconds=15)
            assert (labels["namespace"], labels["severity"]) == ("gossip-system", "critical")
            leader.set(1)
            wait_for(lambda: not named(found, alarm), "the end of the alarm", seconds=15)
