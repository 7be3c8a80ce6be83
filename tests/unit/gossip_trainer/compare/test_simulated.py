import pytest

from gossip_trainer.compare.simulated import finding, simulate_cell
from gossip_trainer.simulation.simulator import simulate

TINY = {"training": {"budget": {"stepsPerWorker": 6}}}


def test_steps_and_bytes_are_per_worker_and_samples_of_all(cells):
    (cell,) = cells("pull-gossip", TINY, workers=(3,))
    result = simulate(cell.job)
    found = finding("a", result)
    first, last = found.points[0], found.points[-1]
    assert (first.seconds, first.samples, first.steps, first.received_bytes) == (0, 0, 0, 0)
    assert last.samples == 8 * 3 * 6
    assert last.steps == 6
    assert last.received_bytes == pytest.approx(result.final.received_bytes / 3)
    assert last.accuracy == result.final.accuracy
    assert last.consensus_distance == result.final.consensus_distance
    assert len(found.points) == len(result.evaluations)
    assert (found.key, found.stop) == ("a", result.stop)


def test_a_cell_finds_the_same_again_but_for_how_long_it_took(cells):
    (cell,) = cells("all-reduce", TINY)
    one, other = (simulate_cell(cell, lambda _: None) for _ in range(2))
    assert (one.key, one.points, one.stop) == (cell.key, other.points, other.stop)


def test_the_accuracy_of_a_model_that_is_not_finite_counts_for_nothing(cells):
    (cell,) = cells("all-reduce", TINY, learning_rates=(1e30,))
    assert simulate_cell(cell, lambda _: None).points[-1].accuracy is None
