from pathlib import Path

import pytest

from gossip_operator import cli
from gossip_operator.shell.settings import LeaseSettings, Settings


def settings(monkeypatch, *arguments, environ=None):
    """Return the settings that `run` would be called with."""
    for name, value in (environ or {}).items():
        monkeypatch.setenv(name, value)
    seen = []
    monkeypatch.setattr(cli, "_run", lambda options: seen.append(cli.settings_from(options)) or 0)
    assert cli.main(["run", *arguments]) == 0
    return seen[0]


def test_without_options_the_whole_cluster_is_served_and_one_replica_leads(monkeypatch):
    assert settings(monkeypatch) == Settings(lease=LeaseSettings(namespace="default"))


def test_options_become_settings(monkeypatch):
    found = settings(
        monkeypatch,
        "--namespaces=a,b",
        "--kubeconfig=/k",
        "--default-image=trainer:1",
        "--qps=7",
        "--no-leader-election",
    )
    assert found.namespaces == ("a", "b")
    assert found.kubeconfig == Path("/k")
    assert found.default_image == "trainer:1"
    assert found.requests_per_second == 7.0
    assert found.lease is None


def test_the_environment_stands_in_for_options_and_the_command_line_wins(monkeypatch):
    environ = {"GOSSIP_OPERATOR_QPS": "7", "GOSSIP_OPERATOR_BURST": "9"}
    found = settings(monkeypatch, "--qps=8", environ=environ)
    assert (found.requests_per_second, found.request_burst) == (8.0, 9)


def test_leader_election_can_be_switched_off_by_the_environment(monkeypatch):
    assert settings(monkeypatch, environ={"GOSSIP_OPERATOR_LEADER_ELECTION": "false"}).lease is None


@pytest.mark.parametrize(
    ("argument", "allowed"),
    [
        ("--qps=0", "above 0"),
        ("--reconcilers=none", "1 or more"),
        ("--health-address=8080", "host:port"),
        ("--log-level=loud", "debug, info"),
    ],
)
def test_an_option_that_makes_no_sense_is_told_with_what_is_allowed(capsys, argument, allowed):
    with pytest.raises(SystemExit):
        cli.main(["run", argument])
    assert allowed in capsys.readouterr().err


def test_an_environment_that_makes_no_sense_is_told_too(monkeypatch, capsys):
    monkeypatch.setenv("GOSSIP_OPERATOR_QPS", "fast")
    with pytest.raises(SystemExit):
        cli.main(["run"])
    assert "got 'fast'" in capsys.readouterr().err
