import statistics

import pytest

from gossip_api.simulation import Simulation
from gossip_trainer.simulation.compute import step_seconds


def draws(count=4000, *, seed=1, rank=0, incarnation=0, stragglers=(), **compute):
    simulation = Simulation.model_validate(
        {"computeSeconds": {"mean": 0.2, **compute}, "stragglers": list(stragglers)}
    )
    draw = step_seconds(simulation, seed, rank, incarnation)
    return [draw() for _ in range(count)]


def test_without_jitter_all_steps_take_the_same_time():
    assert set(draws(10)) == {0.2}


@pytest.mark.parametrize(
    "compute", [{"jitter": 0.3}, {"jitter": 1.0}, {"distribution": "Exponential"}]
)
def test_every_distribution_has_the_jobs_mean(compute):
    seconds = draws(**compute)
    error = statistics.stdev(seconds) / len(seconds) ** 0.5
    assert abs(statistics.fmean(seconds) - 0.2) < 4.5 * error
    assert min(seconds) > 0.0


def test_jitter_is_the_deviation_of_the_logarithm():
    logs = [s.ln() for s in map(statistics.Decimal, draws(jitter=0.3))]
    # The deviation's own relative error is 1 / sqrt(2 n).
    assert abs(float(statistics.stdev(logs)) - 0.3) < 4.5 * 0.3 / 8000**0.5


def test_a_straggler_takes_its_factor_longer():
    plain = draws(10, jitter=0.3)
    slow = draws(10, jitter=0.3, stragglers=[{"worker": 0, "slowdown": 4}])
    assert slow == pytest.approx([4 * seconds for seconds in plain])


def test_each_worker_process_and_seed_has_its_own_stream():
    streams = [draws(3, jitter=0.3, **which) for which in ({}, {"rank": 1}, {"seed": 2})]
    streams.append(draws(3, jitter=0.3, incarnation=1))
    assert len({tuple(stream) for stream in streams}) == 4
    assert draws(3, jitter=0.3) == streams[0]
