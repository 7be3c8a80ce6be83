import csv
import json
import math
from pathlib import Path

import pytest

from gossip_trainer.cli import compare as compare_command
from gossip_trainer.compare.plots import CURVES, SCALING
from gossip_trainer.compare.records import Finding, Point
from gossip_trainer.compare.store import CELLS
from gossip_trainer.page.write import PAGE

JOB = """\
apiVersion: gossip.training/v1alpha1
kind: GossipTrainingJob
metadata: {name: small}
spec:
  strategy: {type: Gossip}
  workers: {replicas: 2}
  training:
    model: {name: mlp, args: {hidden: [8]}}
    data: {name: synthetic, args: {examples: 600, features: 6, classes: 3, noise: 0.5}}
    batchSize: 8
    optimizer: {name: sgd, learningRate: 0.1}
    budget: {stepsPerWorker: 60}
    target: {metric: accuracy, value: 0.8}
    seed: 5
  evaluation: {every: 200ms}
  simulation: {computeSeconds: {mean: 0.1, jitter: 0.3}}
"""
RIVALS = ("--strategies", "all-reduce,pull-gossip")


@pytest.fixture
def small_job(working_directory):
    path = Path("small.yaml")
    path.write_text(JOB)
    return path


def finding(key, seconds):
    def point(at, accuracy):
        return Point(
            seconds=at,
            samples=at,
            steps=at,
            received_bytes=at,
            accuracy=accuracy,
            loss=1.0,
            consensus_distance=0.0,
        )

    last = point(seconds, 0.9) if math.isfinite(seconds) else point(9.0, 0.3)
    return Finding(key=key, points=(point(0.0, 0.1), last), stop="budget", wall_seconds=0.0)


class Cells:
    """Stands in for simulations; a cell takes as long as it has workers."""

    def __init__(self):
        self.seen = []
        self.seconds = lambda cell: float(cell.workers)

    def simulate(self, cell, watch):
        watch(0.5)
        self.seen.append(cell)
        found = self.seconds(cell)
        if isinstance(found, BaseException):
            raise found
        return finding(cell.key, found)


@pytest.fixture
def simulated(monkeypatch):
    """Carry out cells in this process, without simulating."""
    cells = Cells()
    monkeypatch.setattr(compare_command, "simulate_cell", cells.simulate)
    monkeypatch.setattr(
        compare_command,
        "side_by_side",  # what is used depends on this machine's cores
        lambda work, _processes, tasks, watch: compare_command.one_by_one(work, tasks, watch),
    )
    return cells


def test_every_strategy_is_simulated_at_every_size_rate_and_seed(gossip, small_job, simulated):
    grid = ("--workers", "4,2", "--learning-rates", "0.2,0.1", "--seeds", 2)
    result = gossip("compare", small_job, *RIVALS, *grid)
    assert result.exit_code == 0
    places = {(c.strategy, c.workers, c.learning_rate, c.seed) for c in simulated.seen}
    assert len(places) == len(simulated.seen) == 16
    assert ("pull-gossip", 4, 0.1, 6) in places
    assert "small: to accuracy 0.8, virtual time" in result.stdout
    assert "2 workers: " in result.stdout


def test_for_scripts_stdout_holds_the_comparison_and_nothing_else(gossip, small_job, simulated):
    result = gossip("compare", small_job, *RIVALS, "--format", "json", "--out", "found")
    assert json.loads(result.stdout)["job"] == "small"
    assert Path("found/comparison.json").read_text() == result.stdout


def test_out_holds_cells_tables_pictures_and_the_page(gossip, small_job, simulated):
    gossip("compare", small_job, *RIVALS, "--out", "found")
    names = {path.name for path in Path("found").iterdir()}
    tables = {"comparison.json", "results.csv", "summary.csv"}
    assert names == {CELLS, CURVES, PAGE, *tables, *SCALING.values()}


def test_without_out_nothing_is_left_behind(gossip, small_job, simulated, working_directory):
    gossip("compare", small_job, *RIVALS)
    assert list(working_directory.iterdir()) == [working_directory / "small.yaml"]


def test_the_same_command_again_does_nothing_anew_and_says_so(gossip, small_job, simulated):
    again = ("compare", small_job, *RIVALS, "--out", "found")
    first = gossip(*again)
    simulated.seen.clear()
    second = gossip(*again)
    assert simulated.seen == []
    assert second.stdout == first.stdout
    assert "found: 6 of 6 cells are there already" in second.stderr


def test_a_changed_job_does_not_mix_with_cells_of_the_old_one_and_says_so(
    gossip, small_job, simulated
):
    gossip("compare", small_job, *RIVALS, "--out", "found")
    simulated.seen.clear()
    changed = gossip(
        "compare", small_job, *RIVALS, "--out", "found", "--set", "training.batchSize=4"
    )
    assert len(simulated.seen) == 6
    assert "0 of 6 cells are there already; 6 more are of another job" in changed.stderr


def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(gossip, small_job, simulated):
    command = ("compare", small_job, "--strategies", "job", "--out", "found")
    simulated.seconds = lambda _: KeyboardInterrupt() if len(simulated.seen) == 3 else 1.0
    result = gossip(*command)
    assert result.exit_code == 130
    assert "interrupted; 2 of 3 cells are kept, the same command goes on" in result.stderr
    simulated.seen.clear()
    simulated.seconds = lambda _: 1.0
    assert gossip(*command).exit_code == 0
    assert len(simulated.seen) == 1


def test_what_was_interrupted_before_its_first_cell_was_done_can_go_on(
    gossip, small_job, simulated
):
    command = ("compare", small_job, "--strategies", "job", "--out", "found")
    simulated.seconds = lambda _: KeyboardInterrupt()
    assert gossip(*command).exit_code == 130
    Path("found/runs").mkdir()
    simulated.seconds = lambda _: 1.0
    assert gossip(*command).exit_code == 0


def test_a_failed_cell_is_told_and_loses_no_other(gossip, small_job, simulated):
    simulated.seconds = lambda cell: ValueError("no luck") if cell.seed == 6 else 1.0
    result = gossip("compare", small_job, "--strategies", "job")
    assert result.exit_code == 0
    assert "failed: job, 2 workers, learning rate 0.1, seed 6: no luck" in result.stderr
    assert "2 of 3, 1 failed" in result.stdout


def test_exit_codes_tell_whether_anything_reached_the_target(gossip, small_job, simulated):
    simulated.seconds = lambda _: math.inf
    assert gossip("compare", small_job, *RIVALS).exit_code == 3
    simulated.seconds = lambda _: ValueError("no luck")
    assert gossip("compare", small_job, *RIVALS).exit_code == 1


def test_a_target_from_the_command_line_is_what_is_compared(gossip, small_job, simulated):
    result = gossip("compare", small_job, *RIVALS, "--target", "accuracy=0.3")
    assert "to accuracy 0.3" in result.stdout


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--workers", "0", "must be whole numbers above 0"),
        ("--workers", "8,", "must be whole numbers above 0"),
        ("--workers", "1.5", "must be whole numbers above 0"),
        ("--learning-rates", "0", "must be numbers above 0"),
        ("--learning-rates", "nan", "must be numbers above 0"),
        ("--learning-rates", "inf", "must be numbers above 0"),
        ("--learning-rates", "a,0.1", "must be numbers above 0"),
        ("--target", "0.9", "must be accuracy=VALUE or loss=VALUE"),
        ("--target", "speed=9", "must be accuracy=VALUE or loss=VALUE"),
        ("--target", "accuracy=nan", "must be accuracy=VALUE or loss=VALUE"),
        ("--target", "accuracy=2", "must be at most 1 for accuracy"),
        ("--strategies", "gossip", "must be among all-reduce"),
        ("--out", ".", "exists and is not an empty directory"),
        ("--set", "simulation=null", "simulation.computeSeconds.mean"),
        ("--set", "simulation.stragglers=[{worker: 2, slowdown: 4}]", "got 2"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_simulated(
    gossip, small_job, simulated, option, value, message
):
    result = gossip("compare", small_job, *RIVALS, option, value)
    assert (result.exit_code, simulated.seen) == (2, [])
    assert message in result.stderr


def test_real_cells_are_run_one_after_the_other_in_the_directory(gossip, small_job, monkeypatch):
    ran = []

    def run_cell(out, cell, _watch):
        ran.append((str(out), cell.mode))
        return finding(cell.key, 1.0)

    monkeypatch.setattr(compare_command, "run_cell", run_cell)
    result = gossip("compare", small_job, *RIVALS, "--real", "--seeds", 1)
    assert ran == [("runs/small-comparison", "real")] * 2
    assert "this machine's time" in result.stdout


def test_real_workers_that_share_cores_are_warned_of_and_far_too_many_refused(
    gossip, small_job, monkeypatch
):
    monkeypatch.setattr(compare_command, "available_processes", lambda: 2)
    monkeypatch.setattr(compare_command, "run_cell", lambda _o, cell, _w: finding(cell.key, 1.0))
    real = ("compare", small_job, *RIVALS, "--real", "--seeds", 1, "--workers")
    assert "warning: 4 workers share 2 cores" in gossip(*real, "2,4").stderr
    refused = gossip(*real, 17)
    assert refused.exit_code == 2
    assert "take at most 16, or leave --real out" in refused.stderr


def test_a_whole_comparison_finds_when_each_strategy_reaches_the_target(gossip, small_job):
    grid = ("--workers", "2,4", "--seeds", 2, "--out", "found", "--processes", 1)
    result = gossip("compare", small_job, *RIVALS, *grid)

    assert result.exit_code == 0
    rows = list(csv.DictReader(Path("found/results.csv").read_text().splitlines()))
    assert len(rows) == 8
    for row in rows:
        assert row["outcome"] == "reached"
        steps, seconds = float(row["steps_to_target"]), float(row["seconds_to_target"])
        assert 1 < steps < 60
        assert seconds == pytest.approx(0.1 * steps, rel=0.6)
        assert float(row["samples_to_target"]) == pytest.approx(8 * steps * int(row["workers"]))
        assert float(row["final_accuracy"]) > 0.7
    assert json.loads(Path("found/comparison.json").read_text())["verdicts"][0]["first"]
    assert gossip("compare", small_job, *RIVALS, *grid).stdout == result.stdout
