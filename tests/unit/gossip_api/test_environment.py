"""The variables between the one who starts a process and the process."""

from pathlib import Path

import pytest

from gossip_api.environment import ProcessEnvironment
from gossip_api.errors import InvalidEnvironment
from gossip_api.names import Role

ENVIRONMENT = ProcessEnvironment(
    job_file=Path("/run/job.yaml"),
    job_uid="1-2-3",
    role=Role.WORKER,
    rank=3,
    incarnation=1,
    peers="directory:/run/peers",
    listen="127.0.0.1:0",
    output=Path("/run/out"),
    tls=Path("/run/tls"),
    start_with=4,
    shared_memory=True,
    checkpoints="s3://bucket/runs/1-2-3",
    last_metrics=Path("/run/metrics/worker-3-1.prom"),
)


def test_the_environment_survives_being_written():
    assert ProcessEnvironment.from_environ(ENVIRONMENT.to_environ()) == ENVIRONMENT


def test_what_may_be_missing_has_a_default():
    variables = ENVIRONMENT.to_environ()
    for name in ("TLS", "START_WITH", "SHARED_MEMORY", "CHECKPOINTS", "LAST_METRICS"):
        del variables[f"GOSSIP_{name}"]
    environment = ProcessEnvironment.from_environ(variables)
    assert (environment.tls, environment.start_with) == (None, 1)
    assert environment.shared_memory is False
    assert environment.checkpoints is None
    assert environment.last_metrics is None
    assert "GOSSIP_TLS" not in environment.to_environ()


def test_other_variables_do_not_matter():
    variables = {**ENVIRONMENT.to_environ(), "PATH": "/bin", "GOSSIP_OTHER": "x"}
    assert ProcessEnvironment.from_environ(variables) == ENVIRONMENT


def test_every_missing_variable_is_named():
    with pytest.raises(InvalidEnvironment) as caught:
        ProcessEnvironment.from_environ({"GOSSIP_ROLE": "worker"})
    missing = [line.split(":")[0] for line in str(caught.value).splitlines()]
    assert missing == [
        "GOSSIP_JOB_FILE",
        "GOSSIP_JOB_UID",
        "GOSSIP_RANK",
        "GOSSIP_INCARNATION",
        "GOSSIP_PEERS",
        "GOSSIP_LISTEN",
        "GOSSIP_OUTPUT",
    ]


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("GOSSIP_ROLE", "boss", "one of worker, server, evaluator"),
        ("GOSSIP_RANK", "-1", "a whole number, 0 or more"),
        ("GOSSIP_INCARNATION", "\u0663", "a whole number, 0 or more"),
        ("GOSSIP_START_WITH", "0", "a whole number, 1 or more"),
        ("GOSSIP_SHARED_MEMORY", "yes", "0 or 1"),
        ("GOSSIP_LISTEN", "localhost", "host:port"),
        ("GOSSIP_LISTEN", "localhost:99999", "host:port"),
    ],
)
def test_a_malformed_variable_is_named_with_what_is_allowed(name, value, allowed):
    with pytest.raises(InvalidEnvironment) as caught:
        ProcessEnvironment.from_environ({**ENVIRONMENT.to_environ(), name: value})
    assert str(caught.value).startswith(f"{name}: got {value!r}; must be {allowed}")
