import os
import statistics
from pathlib import Path

import pytest

from gossip_api.simulation import Simulation
from gossip_trainer.errors import RunError
from gossip_trainer.simulation.compute import step_seconds


def draws(count=4000, *, seed=1, rank=0, incarnation=0, stragglers=(), **compute):
    simulation = Simulation.model_validate(
        {
            "computeSeconds": compute if "trace" in compute else {"mean": 0.2, **compute},
            "stragglers": list(stragglers),
        }
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


@pytest.fixture
def trace(tmp_path):
    path = tmp_path / "steps.txt"
    path.write_text("# a busy machine\n0.1\n\n 0.2  # warm\n3e-1\n.4\n")
    return str(path)


def test_a_trace_is_walked_through_in_order_and_again_from_its_beginning(trace):
    seconds = draws(9, trace=trace)
    first = [0.1, 0.2, 0.3, 0.4].index(seconds[0])
    assert seconds == [[0.1, 0.2, 0.3, 0.4][(first + step) % 4] for step in range(9)]


def test_every_worker_begins_a_trace_at_a_line_of_its_own_that_the_seed_draws(trace):
    starts = [draws(1, trace=trace, rank=rank)[0] for rank in range(40)]
    assert set(starts) == {0.1, 0.2, 0.3, 0.4}
    assert starts == [draws(1, trace=trace, rank=rank)[0] for rank in range(40)]
    assert starts != [draws(1, trace=trace, rank=rank, seed=2)[0] for rank in range(40)]


def test_a_straggler_takes_its_factor_longer_than_the_trace(trace):
    slow = draws(5, trace=trace, stragglers=[{"worker": 0, "slowdown": 4}])
    assert slow == pytest.approx([4 * seconds for seconds in draws(5, trace=trace)])


def test_a_changed_trace_is_read_anew(trace):
    draws(1, trace=trace)
    path = Path(trace)
    path.write_text("7\n")
    os.utime(path, ns=(0, 1))
    assert draws(2, trace=trace) == [7.0, 7.0]


def test_a_relative_trace_is_looked_up_from_the_working_directory(trace, monkeypatch):
    monkeypatch.chdir(Path(trace).parent)
    assert draws(3, trace="steps.txt") == draws(3, trace=trace)


@pytest.mark.parametrize("line", ["fast", "0", "-1", "nan", "inf", "0.1 0.2"])
def test_a_malformed_line_is_told_with_file_and_number(trace, line):
    Path(trace).write_text(f"# comment\n0.1\n{line}  # here\n")
    with pytest.raises(RunError) as caught:
        draws(1, trace=trace)
    assert str(caught.value) == (
        f"spec.simulation.computeSeconds.trace {trace}, line 3: got '{line}'; "
        "must be seconds above 0, for example 0.125"
    )


def test_a_trace_without_times_or_without_file_says_so(tmp_path):
    with pytest.raises(RunError, match=r"missing\.txt: cannot be read: No such file"):
        draws(1, trace=str(tmp_path / "missing.txt"))
    (tmp_path / "empty.txt").write_text("# nothing\n")
    with pytest.raises(RunError, match=r"empty\.txt: holds no step times"):
        draws(1, trace=str(tmp_path / "empty.txt"))
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RunError, match="it is not text"):
        draws(1, trace=str(tmp_path / "binary"))
