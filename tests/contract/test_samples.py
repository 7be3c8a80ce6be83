"""The job files that come along: each is valid, says how to use it, and runs in virtual time."""

from pathlib import Path

import pytest

from gossip_api.loading import load_job
from gossip_api.strategy import Strategy
from gossip_trainer.simulation.simulator import simulate

FOLDER = Path(__file__).parents[2] / "manifests" / "samples"
SAMPLES = sorted(FOLDER.glob("*.yaml"))
WITHOUT_FILES = [path for path in SAMPLES if "name: fashion-mnist," not in path.read_text()]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_is_valid_and_its_job_is_named_after_the_file(path):
    number, _, rest = path.stem.partition("-")
    assert load_job(path).metadata.name == (rest if number.isdigit() else path.stem)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_begins_with_what_it_shows_and_the_command(path):
    header = path.read_text().partition("apiVersion")[0]
    assert all(line.startswith("#") for line in header.splitlines())
    assert f" manifests/samples/{path.name}" in header


def test_there_is_a_sample_of_every_strategy_and_every_exchange():
    strategies = [load_job(path).spec.strategy for path in SAMPLES]
    kinds = set(Strategy.model_fields["type"].annotation.__args__)
    assert {strategy.type for strategy in strategies} == kinds
    exchanges = {strategy.gossip.exchange for strategy in strategies if strategy.gossip}
    assert exchanges == {"Pull", "Push", "Pairwise", "PushSum"}
    averagings = {strategy.local_sgd.averaging for strategy in strategies if strategy.local_sgd}
    assert averagings == {"AllReduce", "Gossip"}


@pytest.mark.parametrize("path", WITHOUT_FILES, ids=lambda path: path.stem)
def test_a_sample_runs_in_virtual_time(path):
    steps = "{stepsPerWorker: 25}"
    result = simulate(load_job(path, [f"training.budget={steps}", "simulation.faults=[]"]))
    assert result.final.final
    assert result.final.loss is not None
    assert result.steps_per_worker > 0
