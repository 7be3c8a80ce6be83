import json
from pathlib import Path

import pytest

from gossip_trainer.cli import simulate as simulate_command
from gossip_trainer.simulation.simulator import simulate

SMALL = """\
apiVersion: gossip.training/v1alpha1
kind: GossipTrainingJob
metadata: {name: small}
spec:
  strategy: {type: Gossip}
  workers: {replicas: 2}
  training:
    model: {name: mlp, args: {hidden: []}}
    data: {name: synthetic, args: {examples: 64, features: 4, classes: 2}}
    batchSize: 4
    optimizer: {name: sgd, learningRate: 0.1}
    budget: {stepsPerWorker: 3}
    seed: 5
  simulation: {computeSeconds: {mean: 0.1}}
"""


@pytest.fixture
def small_job(working_directory):
    path = Path("small.yaml")
    path.write_text(SMALL)
    return path


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    """Simulate one after the other here; note the jobs."""
    jobs = []

    def one_by_one(given, watch, *, processes):
        jobs.extend(given)
        return [simulate(job, lambda done: watch(0, done)) for job in given]

    monkeypatch.setattr(simulate_command, "sweep", one_by_one)
    return jobs


def test_every_number_of_workers_is_simulated_with_every_seed(gossip, small_job, in_this_process):
    result = gossip("simulate", small_job, "--workers", "1,3", "--seeds", 2)

    assert result.exit_code == 0
    cells = [(job.spec.workers.replicas, job.spec.training.seed) for job in in_this_process]
    assert cells == [(1, 5), (1, 6), (3, 5), (3, 6)]
    title, *_, last = result.stdout.splitlines()
    assert title.startswith("small: Gossip")
    assert last.split()[:2] == ["3", "6"]


def test_a_training_script_is_not_simulated_and_the_user_is_told(gossip, small_job):
    template = "workers.template={spec: {containers: [{name: trainer, command: [train]}]}}"
    told = "own command (spec.workers.template.spec.containers[trainer].command) is not run"
    assert told in gossip("simulate", small_job, "--set", template).stderr
    assert told not in gossip("simulate", small_job).stderr


def test_without_options_it_is_the_job_as_it_is(gossip, small_job, in_this_process):
    gossip("simulate", small_job)
    assert [job.spec.workers.replicas for job in in_this_process] == [2]


def test_for_scripts_stdout_holds_the_results_and_nothing_else(gossip, small_job):
    result = gossip("simulate", small_job, "--format", "json", "--out", "found")

    (found,) = json.loads(result.stdout)["results"]
    assert found["final"]["job_steps"] == 6
    assert Path("found/results.json").read_text() == result.stdout


def test_an_out_directory_that_holds_something_is_refused(gossip, small_job, in_this_process):
    result = gossip("simulate", small_job, "--out", ".")
    assert (result.exit_code, in_this_process) == (2, [])
    assert result.stderr.startswith("error: --out .: exists and is not an empty")


@pytest.mark.parametrize("text", ["0", "8,", "a", "-1", "1.5", ""])
def test_numbers_of_workers_that_are_none_are_refused(gossip, small_job, text):
    result = gossip("simulate", small_job, "--workers", text)
    assert result.exit_code == 2
    assert "such as 8,32,128" in result.stderr


def test_a_job_that_says_nothing_of_its_simulation_is_refused_with_a_way_out(gossip, job_file):
    result = gossip("simulate", job_file)
    assert result.exit_code == 1
    assert "--set simulation.computeSeconds.mean=0.05" in result.stderr


def test_the_way_out_works(gossip, small_job):
    text = SMALL.replace("  simulation: {computeSeconds: {mean: 0.1}}\n", "")
    small_job.write_text(text)
    option = "simulation.computeSeconds.mean=0.05"
    assert gossip("simulate", small_job, "--set", option).exit_code == 0


def test_impossible_cells_are_refused_before_any_is_simulated(gossip, small_job, in_this_process):
    option = "simulation.stragglers=[{worker: 2, slowdown: 4}]"
    result = gossip("simulate", small_job, "--workers", "4,2", "--set", option)
    assert (result.exit_code, in_this_process) == (1, [])
    assert "spec.simulation.stragglers[0].worker: got 2" in result.stderr
