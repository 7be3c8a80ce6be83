import json
import os
import subprocess
import sys
from importlib import metadata

import pytest

HEAVY = (
    "torch",
    "matplotlib",
    "numpy",
    "sklearn",
    "gossip_trainer.launch.processes",
    "gossip_trainer.report",
)


def test_version_is_that_of_the_package(gossip):
    result = gossip("--version")

    assert (result.exit_code, result.stdout) == (
        0,
        f"gossip {metadata.version('gossip-training')}\n",
    )


def test_an_option_that_does_not_exist_is_invalid_input(gossip):
    assert gossip("validate", "job.yaml", "--wrong").exit_code == 2


@pytest.mark.parametrize("option", ["--workers", "--threads"])
def test_there_are_never_zero_of_anything(gossip, job_file, option):
    result = gossip("run", job_file, option, "0")

    assert result.exit_code == 2
    assert option in result.stderr


def test_every_option_of_run_reaches_the_launcher(gossip, job_file, launcher, credentials):
    result = gossip(
        *("run", job_file, "--workers", 2, "--out", "here", "--tls", credentials),
        *("--replace-lost", "--threads", 3, "--set", "training.batchSize=64"),
        *("--set", "training.seed=7", "--no-shared-memory", "--format", "json"),
    )

    assert result.exit_code == 0
    ((job, options),) = launcher.runs
    assert (str(options.out), str(options.tls)) == ("here", str(credentials))
    assert (options.replace_lost, options.threads) == (True, 3)
    assert options.shared_memory is False
    assert (job.spec.workers.replicas, job.spec.training.batch_size) == (2, 64)
    assert job.spec.training.seed == 7
    assert json.loads(result.stdout)["job"] == "digits"


def test_credentials_that_are_not_there_are_refused_before_anything_starts(
    gossip, job_file, launcher
):
    result = gossip("run", job_file, "--tls", "nowhere")

    assert result.exit_code == 2
    assert "--tls nowhere" in result.stderr
    assert "tls.crt" in result.stderr
    assert not launcher.runs


def test_a_run_directory_that_cannot_be_made_is_refused(gossip, job_file, launcher):
    result = gossip("run", job_file, "--out", "/proc/nowhere")

    assert result.exit_code == 2
    assert "/proc/nowhere" in result.stderr
    assert not launcher.runs


def test_validation_is_quick_for_it_imports_nothing_that_trains_or_draws(job_file):
    code = (
        "import sys; from gossip_trainer.cli.app import app\n"
        "try: app(['validate', sys.argv[1]])\n"
        "except SystemExit as end: assert end.code == 0\n"
        f"heavy = [name for name in {HEAVY} if name in sys.modules]\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )

    before = os.times()
    result = subprocess.run(  # one process, that of the very interpreter
        [sys.executable, "-c", code, job_file],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,  # the assertion below shows what it said
    )
    after = os.times()

    assert (result.returncode, result.stderr) == (0, "")
    spent = sum(after[2:4]) - sum(before[2:4])
    assert spent < 1.0  # CPU seconds: other processes do not count


def test_a_run_shares_memory_unless_told_otherwise(gossip, job_file, launcher):
    assert gossip("run", job_file).exit_code == 0
    ((_, options),) = launcher.runs
    assert options.shared_memory is True
