"""Samples, applied as they are, train in real pods: every strategy's, and a model of one's own."""

from pathlib import Path

import pytest
import yaml
from cluster_jobs import conditions

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(240)]

FOLDER = Path("manifests/samples")
SAMPLES = sorted([*FOLDER.glob("0*-*.yaml"), *FOLDER.glob("1[01]-*.yaml")])  # one per strategy
QUADRATIC = "11-quadratic"


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_trains_to_complete(jobs, operator, sample):
    name = jobs.create(yaml.safe_load(sample.read_text()))

    jobs.wait_condition(name, "Complete", seconds=200)

    status = jobs.get(name)["status"]
    assert status["state"] == "Succeeded"
    assert not status.get("failures")
    assert conditions(jobs.get(name))["Failed"]["status"] == "False"
    if sample.stem == QUADRATIC:
        # Half the squared distance from the minimum: 128 at the start, then what noise keeps up.
        assert float(status["result"]["loss"]) < 12.8
    else:
        assert status["stop"]["reason"] in {"target", "budget"}
        assert float(status["result"]["accuracy"]) >= 0.93
        assert float(status["result"]["epoch"]) > 1


def test_a_model_of_ones_own_trains_from_a_config_map(jobs, operator):
    sources = FOLDER / "own_model.py"
    jobs.bed.kubectl(
        *("create", "configmap", "own-model", f"--from-file={sources}", "-n", jobs.namespace)
    )
    name = jobs.create(yaml.safe_load((FOLDER / "14-own-model.yaml").read_text()))

    jobs.wait_condition(name, "Complete", seconds=200)

    assert float(jobs.get(name)["status"]["result"]["accuracy"]) >= 0.93
