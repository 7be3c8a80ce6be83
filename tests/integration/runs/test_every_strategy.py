"""Every strategy trains for real: processes, sockets, and servers where it has some."""

import pytest
from strategies import STRATEGIES

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(120)]


@pytest.mark.parametrize("name", STRATEGIES)
def test_it_learns_the_digits_and_leaves_its_model(run_job, digits, name):
    parts = STRATEGIES[name]
    document = digits(
        strategy=parts["strategy"],
        workers__replicas=3,
        training__schedule={"name": "constant"},
        training__budget={"epochs": 40},
    )
    document["spec"]["training"] |= parts.get("training", {})
    if "server" in parts:
        document["spec"]["server"] = parts["server"]

    run = run_job(document)

    print(name, f"{run.final.accuracy:.4f} after {run.final.seconds:.1f} s")
    assert run.outcome.state == "succeeded"
    assert run.final.accuracy > 0.9
    assert (run.out / "model.safetensors").exists()
