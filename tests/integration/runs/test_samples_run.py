"""Samples run on one machine by the very command that stands at their beginning."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(120)]

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "manifests" / "samples"
NAMES = ["12-elastic", "14-own-model", "16-spot"]  # the others' strategies run elsewhere
FEW = ["--workers", "2", "--set", "training.budget={stepsPerWorker: 20}"]


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_runs_here_as_it_says(name, tmp_path):
    text = (FOLDER / f"{name}.yaml").read_text()
    (command,) = re.findall("^# Run here: +(.+)$", text, re.MULTILINE)
    out = tmp_path / "out"

    ran = subprocess.run(
        ["bash", "-c", f'{command} "$@"', "bash", *FEW, "--out", out],
        cwd=ROOT,
        env=os.environ
        | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout
    summary = json.loads((out / "summary.json").read_text())
    assert summary["outcome"] == "succeeded"
    assert (out / "model.safetensors").exists()
