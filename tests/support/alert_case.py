"""What a case of an alert is made of: series minute by minute, and when it fires.

A story lasts `LENGTH` minutes; its first minute is the epoch, so that `60 * minute` is the time.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gossip_api.metrics import jobs, processes
from gossip_api.metrics.metric import Metric
from gossip_monitoring.promql import PROCESS_START
from gossip_monitoring.rules.document import DOCUMENTS, FILES, runbook
from gossip_monitoring.rules.rule import Alert

LENGTH = 100
END = 90
"""The minute at which jobs are over and their pods are gone."""
JOB = {"namespace": "research", "job_name": "digits"}
NAN, INF = "NaN", "Inf"

Value = float | str | None
Values = Callable[[int], Value] | float | str
Series = dict[str, Values]


@dataclass(frozen=True, kw_only=True)
class Case:
    """Series, and what an alert makes of them.

    Attributes:
        title: what happens, as a sentence.
        alert: its name.
        series: the value of each in each minute; None where there is no sample.
        since: the first minute in which its expression is true; None if it never fires.
        until: the first minute after it in which it no longer fires.
        severity: with which it fires.
        labels: those that it has then, the severity aside.
        value: `$value` as its description writes it.

    """

    title: str
    alert: str
    series: Series
    since: int | None = None
    until: int = END
    severity: str = "warning"
    labels: Mapping[str, str] = field(default_factory=lambda: JOB)
    value: str = ""

    def __str__(self) -> str:
        """Name the case in the tests' output."""
        return f"{self.alert}: {self.title}"


def rising(each_minute: float) -> Values:
    """Return a counter that begins at 0."""
    return lambda minute: each_minute * minute


def one(name: str, labels: Mapping[str, str], values: Values) -> Series:
    """Return one series."""
    matchers = ",".join(f'{label}="{value}"' for label, value in labels.items())
    return {f"{name}{{{matchers}}}": values}


def job(metric: Metric, values: Values, *, instance: str = "operator-a", **own: str) -> Series:
    """Return what the operator's replica `instance` tells of the job."""
    assert set(own) == set(metric.labels), metric.name
    return one(metric.name, JOB | own | {"instance": instance}, values)


def state(at: Callable[[int], str], *, instance: str = "operator-a") -> Series:
    """Return the job's state in each minute."""
    told: Series = {}
    for name in jobs.STATE.labels["state"]:
        told |= job(
            jobs.STATE, lambda m, name=name: float(at(m) == name), instance=instance, state=name
        )
    return told


TRAINS = state(lambda minute: "Running" if minute < END else "Succeeded")


def workers(**counts: Values) -> Series:
    """Return the job's workers in numbers."""
    told: Series = {}
    for name, values in counts.items():
        told |= job(jobs.WORKERS, values, state=name)
    return told


def process(
    metric: Metric, values: Values, *, role: str, rank: str = "0", pod: str = "0", **own: str
) -> Series:
    """Return what a pod tells; as long as the job lasts, if not told otherwise."""
    assert set(own) <= {*metric.labels, "le"}, metric.name
    identity = JOB | {"role": role, "rank": rank, "pod": f"digits-{role}-{rank}-{pod}"}
    return one(metric.name, identity | own, lambda m: at(values, m) if m < END else None)


def worker(metric: Metric, values: Values, **more: str) -> Series:
    """Return what a worker tells."""
    return process(metric, values, role="worker", **more)


def evaluator(metric: Metric, values: Values, **more: str) -> Series:
    """Return what an evaluator tells."""
    return process(metric, values, role="evaluator", **more)


def started(values: Values, *, role: str = "worker", **more: str) -> Series:
    """Return when a process began, in seconds."""
    return process(PROCESS_START, values, role=role, **more)


def info(role: str = "worker", *, strategy: str = "Gossip", rank: str = "0") -> Series:
    """Return that a process is there."""
    return process(processes.INFO, 1, role=role, rank=rank, strategy=strategy)


def buckets(
    metric: Metric, each_minute: Mapping[float, float], labels: Mapping[str, str]
) -> Series:
    """Return a histogram in which so many observations fall into the bucket of each bound."""
    assert set(each_minute) <= {*metric.buckets, float("inf")}, metric.name
    told: Series = {}
    for bound in (*metric.buckets, float("inf")):
        upto = sum(number for value, number in each_minute.items() if value <= bound)
        le = "+Inf" if bound == float("inf") else f"{bound}"
        told |= one(f"{metric.name}_bucket", {**labels, "le": le}, rising(upto))
    return told


def at(values: Values, minute: int) -> Value:
    """Return the value in that minute."""
    return values(minute) if callable(values) else values


def file_of(name: str) -> str:
    """Return the file of rules that alerts of that name are in."""
    return next(file for file in FILES if any(alert.name == name for alert in alerts_in(file)))


def alerts_in(file: str) -> list[Alert]:
    """Return the alerts of a file of rules."""
    return [alert for group in FILES[file] for alert in group.alerts]


def alert_of(case: Case) -> Alert:
    """Return the alert that fires in a case."""
    asked = (case.alert, case.severity)
    alerts = alerts_in(file_of(case.alert))
    return next(alert for alert in alerts if (alert.name, alert.severity) == asked)


def promtool_test(case: Case, folder: Path) -> dict[str, Any]:
    """Write a case as promtool reads it: silent in every minute but those in which it fires.

    `folder` is where the files of rules are.
    """
    files = ("recording", file_of(case.alert))
    fires = range(0)
    if case.since is not None:
        fires = range(case.since + minutes(alert_of(case).lasting), case.until)
    return {
        "rule_files": [str(folder / f"{file}.yaml") for file in files],
        "evaluation_interval": "1m",
        "group_eval_order": [group.name for file in files for group in FILES[file]],
        "tests": [
            {
                "name": str(case),
                "interval": "1m",
                "input_series": [
                    {"series": name, "values": " ".join(_written(values))}
                    for name, values in case.series.items()
                ],
                "alert_rule_test": [
                    {"eval_time": f"{minute}m", "alertname": case.alert, "exp_alerts": []}
                    for minute in range(LENGTH)
                    if minute not in fires
                ]
                + [
                    {
                        "eval_time": f"{minute}m",
                        "alertname": case.alert,
                        "exp_alerts": [_expected(case)],
                    }
                    for minute in fires[:1]
                ],
            }
        ],
    }


def _written(values: Values) -> list[str]:
    """Write the samples; one that is missing ends the series, as with a target that is gone."""
    samples = [at(values, minute) for minute in range(LENGTH)]
    return ["stale" if sample is None else str(sample) for sample in samples]


def _expected(case: Case) -> dict[str, Any]:
    alert = alert_of(case)
    return {
        "exp_labels": {**case.labels, "severity": case.severity},
        "exp_annotations": {
            "summary": _rendered(alert.summary, case),
            "description": _rendered(alert.description, case),
            "runbook_url": f"{DOCUMENTS}/{runbook(file_of(case.alert), alert)}",
        },
    }


def _rendered(template: str, case: Case) -> str:
    text = re.sub(r"{{ \$labels\.(\w+) }}", lambda found: case.labels[found[1]], template)
    return re.sub(r"{{ \$value [^}]*}}", lambda _: case.value, text)


def minutes(duration: str) -> int:
    """Read the duration of an alert's `for`, which are whole minutes."""
    return 0 if duration == "0s" else int(duration.removesuffix("m"))
