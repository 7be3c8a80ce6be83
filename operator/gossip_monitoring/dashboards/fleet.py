"""The dashboard of all jobs: which there are, how they stand, and which strategy gets how far."""

from __future__ import annotations

from typing import Final

from gossip_api.metrics import jobs
from gossip_monitoring.dashboards.choices import (
    ALL_JOBS,
    FIRING,
    MARKS,
    SEVERAL_NAMESPACES,
    SEVERITIES,
    STATES,
)
from gossip_monitoring.dashboards.comparison import compared, load
from gossip_monitoring.dashboards.expressions import (
    JOB,
    STRATEGY,
    highest,
    known,
    numbered,
    of,
    of_unfinished_jobs,
    total,
)
from gossip_monitoring.dashboards.panel import (
    COLUMNS,
    Dashboard,
    Number,
    Panel,
    Query,
    Row,
    Table,
    Timeline,
    Unit,
)
from gossip_monitoring.dashboards.recurring import FULL_NAME

_STATE: Final = (*JOB, "state")
_JOB_ADDRESS: Final = (
    "/d/gossip-job?var-datasource=$datasource&var-namespace=${__data.fields.namespace}"
    "&var-job=${__value.raw}&${__url_time_range}"
)


def _now() -> Row:
    states = total(("state",), highest(_STATE, of(jobs.STATE)))
    workers = highest(_STATE, of(jobs.WORKERS, state=("desired", "ready", "failed")))
    return Row(
        "Now",
        (
            Panel(
                "Jobs by state",
                "How many of the chosen jobs are in each state.",
                Unit.NONE,
                (Query(states, "{{state}}"),),
                Number(),
                width=12,
                height=4,
            ),
            Panel(
                "Workers",
                "Workers asked for, training, and lost and not replaced yet, of jobs that are "
                "neither suspended nor over.",
                Unit.NONE,
                (Query(total(("state",), of_unfinished_jobs(workers)), "{{state}}"),),
                Number(),
                width=6,
                height=4,
            ),
            Panel(
                "Samples per second",
                "Training samples per second of all jobs together.",
                Unit.SHORT,
                (Query(f"{total((), known(jobs.SAMPLE_RATE))} or vector(0)", "samples/s"),),
                Number(),
                width=3,
                height=4,
            ),
            Panel(
                "Firing alerts",
                "Alerts on the chosen jobs; the table below names them. Needs the alerts' rules.",
                Unit.NONE,
                (Query(f"count({FIRING}) or vector(0)", "alerts"),),
                Number(red_above=1),
                width=3,
                height=4,
            ),
        ),
    )


def _jobs() -> Row:
    ready, desired = (highest(JOB, of(jobs.WORKERS, state=it)) for it in ("ready", "desired"))
    state = f"{highest(_STATE, of(jobs.STATE))} == 1"
    columns = (
        Query(state),
        Query(highest((*STRATEGY, "model", "data"), of(jobs.INFO))),
        Query(ready, "Ready"),
        Query(desired, "of"),
        Query(known(jobs.PROGRESS), "Progress", Unit.RATIO),
        Query(known(jobs.LOSS), "Loss", Unit.NONE),
        Query(known(jobs.ACCURACY), "Accuracy", Unit.RATIO),
        Query(known(jobs.SAMPLE_RATE), "Samples/s", Unit.SHORT),
        Query(known(jobs.ETA), "Ends in", Unit.SECONDS),
        Query(f"{known(jobs.BEGAN)} - {known(jobs.CREATED)}", "Waited", Unit.SECONDS),
    )
    heads = {
        "namespace": "Namespace",
        "job_name": "Job",
        "state": "State",
        "strategy": "Strategy",
        "exchange": "Exchange",
        "topology": "Topology",
        "model": "Model",
        "data": "Data",
    }
    alert = ("severity", "alertname", *JOB, "rank")
    alert_heads = {
        "severity": "Severity",
        "alertname": "Alert",
        "namespace": "Namespace",
        "job_name": "Job",
        "rank": "Worker",
    }
    return Row(
        "Jobs",
        (
            Panel(
                "Jobs",
                "Every job, with the newest figures of its status. A job's name leads to its own "
                "dashboard. Waited: from its creation until training began.",
                Unit.NONE,
                columns,
                Table(heads, STATES, _JOB_ADDRESS),
                width=COLUMNS,
                height=9,
            ),
            Panel(
                "State of each job",
                "When each job was in which state.",
                Unit.NONE,
                (Query(numbered(jobs.STATE, "state"), FULL_NAME),),
                Timeline(STATES),
                width=14,
            ),
            Panel(
                "Alerts",
                "What fires. The runbook of an alert says what to do about it.",
                Unit.NONE,
                (Query(highest(alert, FIRING)),),
                Table(alert_heads, SEVERITIES, _JOB_ADDRESS),
                width=10,
            ),
        ),
    )


FLEET: Final = Dashboard(
    "gossip-fleet",
    "Gossip training / Fleet",
    "All jobs: which there are, how they stand, and which strategy gets how far.",
    (SEVERAL_NAMESPACES, ALL_JOBS),
    (_now(), _jobs(), load(), compared()),
    MARKS,
)
