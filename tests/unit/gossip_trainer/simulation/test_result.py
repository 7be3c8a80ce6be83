import io
import json

import pytest
from rich.console import Console

from gossip_trainer.simulation.result import to_json
from gossip_trainer.simulation.table import results_table


@pytest.fixture
def result(make_simulator):
    target = {"target": {"metric": "loss", "value": 100}, "budget": {"stepsPerWorker": 10}}
    return make_simulator(training=target).run()


def test_the_document_holds_the_series_its_end_and_what_it_took(result):
    (found,) = json.loads(to_json([result]))["results"]
    assert found["num_workers"] == 4
    assert found["final"] == found["evaluations"][-1]
    assert found["reached"] == found["evaluations"][0]
    assert len(found["workers"]) == 4
    assert 0.0 < found["cost"]["own_share"] < 1.0
    assert found["steps_per_worker"] == result.final.job_steps / 4


def test_a_model_that_diverged_is_null_in_the_document(make_simulator):
    wild = {
        "optimizer": {"learningRate": 1e30},
        "budget": {"stepsPerWorker": 10},
        "nonFinite": "Skip",
    }
    result = make_simulator(training=wild).run()
    (found,) = json.loads(to_json([result]))["results"]
    assert found["final"]["loss"] is None


def test_the_table_has_a_row_per_simulation(result):
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(results_table([result, result]))
    title, *_, first, second = console.export_text().splitlines()
    assert title.startswith("small: Gossip, in virtual time")
    assert first == second
    assert first.split()[:2] == ["4", "1"]
