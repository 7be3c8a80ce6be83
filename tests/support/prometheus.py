"""A real Prometheus on loopback and its promtool, for tests.

Both come from Debian's package (tests/install-prometheus). A machine without them skips the tests
that ask for them; continuous integration fails them.
"""

import json
import os
import shutil
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from operators import LOOPBACK, free_port
from testbed import obstacles
from testbed.waiting import wait_for

START_SECONDS = 20.0
END_SECONDS = 10.0
ANSWER_SECONDS = 10.0
TOOL_SECONDS = 50.0

Labels = dict[str, str]


class RefusedError(Exception):
    """Prometheus or promtool did not take what it was given; the text is its own."""


def program(name: str) -> Path:
    """Return where `prometheus` or `promtool` is; without it the test is skipped or fails."""
    cache = os.environ.get("PROMETHEUS_CACHE") or Path.home() / ".cache" / "gossip-prometheus"
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{cache}/usr/bin")
    if found is None:
        missing = f"needs {name}: run tests/install-prometheus"
        if obstacles.are_errors():
            pytest.fail(missing)
        pytest.skip(missing)
    return Path(found)


def promtool(*arguments: str | Path, text: str | None = None) -> str:
    """Run promtool, with `text` as its input; return all it says.

    Raises:
        RefusedError: it found fault.

    """
    ran = subprocess.run(
        [program("promtool"), *arguments],
        input=text,
        stdin=None if text is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TOOL_SECONDS,
        check=False,
    )
    if ran.returncode != 0:
        raise RefusedError(f"promtool {' '.join(map(str, arguments))}:\n{ran.stdout}")
    return ran.stdout


def check_metrics(page: str | bytes) -> None:
    """Raise RefusedError where promtool finds fault with a page of metrics."""
    promtool("check", "metrics", text=page if isinstance(page, str) else page.decode())


def scrape(
    name: str, *addresses: str, labels: Mapping[str, str] | None = None, **settings: Any
) -> dict[str, Any]:
    """Describe what to scrape: `host:port` addresses, with labels that all their series get.

    Labels that a page has itself (such as `namespace`) win, as with a chart's ServiceMonitor.
    """
    targets = {"targets": list(addresses), "labels": dict(labels or {})}
    return {"job_name": name, "honor_labels": True, "static_configs": [targets], **settings}


@dataclass(frozen=True)
class Sample:
    """One series of an answer.

    Attributes:
        labels: the series' labels, its name as `__name__` where it has one.
        points: time in seconds since the epoch, and value; one of them for a plain query.

    """

    labels: Labels
    points: tuple[tuple[float, float], ...]

    @property
    def value(self) -> float:
        """The newest value."""
        return self.points[-1][1]


@dataclass(frozen=True)
class Prometheus:
    """One that runs.

    Attributes:
        address: `host:port` of its API.
        log: what it wrote.

    """

    address: str
    log: Path

    def query(self, expression: str, *, time: float | None = None) -> list[Sample]:
        """Evaluate at one moment, now if none is given."""
        return _samples(
            self.ask("query", query=expression, **({} if time is None else {"time": time}))
        )

    def query_range(
        self, expression: str, *, start: float, end: float, step: float = 1.0
    ) -> list[Sample]:
        """Evaluate from `start` to `end` (seconds since the epoch) every `step` seconds."""
        answer = self.ask("query_range", query=expression, start=start, end=end, step=step)
        return _samples(answer)

    def value(self, expression: str) -> float | None:
        """Evaluate what has one series; None if there is none now."""
        found = self.query(expression)
        assert len(found) <= 1, f"{expression} has {len(found)} series"
        return found[0].value if found else None

    def alerts(self, *states: str) -> list[Labels]:
        """Return the labels of alerts in these states (`pending`, `firing`); of all by default."""
        found = self.ask("alerts")["alerts"]
        return [alert["labels"] for alert in found if not states or alert["state"] in states]

    def rules(self) -> list[dict[str, Any]]:
        """Return every rule with its `health`, which is `ok` once it was evaluated."""
        return [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]

    def ask(self, what: str, **parameters: Any) -> Any:
        """Ask the HTTP API and return its `data`.

        Raises:
            RefusedError: Prometheus cannot carry it out, with its reason.

        """
        url = f"http://{self.address}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise RefusedError(f"{parameters}: {error.read().decode()}") from error

    def wait_scraped(self, *, num_targets: int = 1, seconds: float = START_SECONDS) -> None:
        """Wait until so many targets have answered."""
        wait_for(
            lambda: (self.value("sum(up)") or 0) >= num_targets,
            f"answers of {num_targets} targets",
            seconds=seconds,
        )


@contextmanager
def running(
    folder: Path,
    scrapes: Sequence[Mapping[str, Any]] = (),
    rules: Sequence[Path] = (),
    *,
    interval: str = "1s",
) -> Iterator[Prometheus]:
    """Run one with its configuration, data and log in `folder` until the block ends.

    Args:
        folder: is made if need be.
        scrapes: what to scrape, as `scrape` describes it.
        rules: files of recording rules and alerts.
        interval: time between scrapes, and between evaluations of the rules.

    Raises:
        RefusedError: it did not take the configuration or did not end well; the end of its log.
        testbed.errors.BedError: it was not ready in time.

    """
    folder.mkdir(parents=True, exist_ok=True)
    config, log, address = folder / "prometheus.yml", folder / "log", f"{LOOPBACK}:{free_port()}"
    document = {
        "global": {"scrape_interval": interval, "evaluation_interval": interval},
        "rule_files": [str(path.absolute()) for path in rules],
        "scrape_configs": [dict(one) for one in scrapes],
    }
    document["global"]["scrape_timeout"] = interval
    config.write_text(yaml.safe_dump(document, sort_keys=False))
    command = [
        program("prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--web.max-connections=64",
        "--log.level=warn",
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        started = Prometheus(address, log)
        wait_for(
            lambda: _is_ready(started, process), "readiness of Prometheus", seconds=START_SECONDS
        )
        yield started
    finally:
        _end(process)


def _is_ready(started: Prometheus, process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is not None:
        raise RefusedError(started.log.read_text())
    try:
        with urllib.request.urlopen(f"http://{started.address}/-/ready", timeout=1) as answer:
            return answer.status == 200
    except OSError:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=END_SECONDS)


def _samples(answer: Mapping[str, Any]) -> list[Sample]:
    if answer["resultType"] == "scalar":
        return [Sample({}, _points([answer["result"]]))]
    return [
        Sample(found["metric"], _points(found.get("values") or [found["value"]]))
        for found in answer["result"]
    ]


def _points(found: Sequence[tuple[float, str]]) -> tuple[tuple[float, float], ...]:
    return tuple((float(time), float(value)) for time, value in found)
