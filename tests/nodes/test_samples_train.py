"""Every strategy's sample, applied as it is, trains in real pods to a good model."""

from pathlib import Path

import pytest
import yaml
from cluster_jobs import conditions

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(240)]

SAMPLES = sorted(Path("manifests/samples").glob("[01]*-*.yaml"))
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
