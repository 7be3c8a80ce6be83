import numpy as np
import pytest
import torch

from gossip_trainer.calibration.stopwatch import read_laps, timed
from gossip_trainer.errors import RunError

MLP = {"name": "mlp", "args": {"hidden": [8]}}


def build(file, seed=1):
    return timed(MLP, seed=seed, file=str(file), input_shape=(4,), num_classes=3)


def test_only_forwards_in_training_are_noted(tmp_path):
    module = build(tmp_path / "moments")
    module.eval()
    module(torch.zeros(2, 4))
    module.train()
    for _ in range(4):
        module(torch.zeros(2, 4))

    laps = read_laps(tmp_path / "moments", skip=1)

    assert len(laps) == 2
    assert (laps > 0).all()


def test_a_step_of_several_forwards_is_one_lap(tmp_path):
    np.array([0.0, 1.0, 5.0, 6.0, 10.0]).tofile(tmp_path / "moments")

    laps = read_laps(tmp_path / "moments", skip=0, forwards_per_step=2)

    assert laps.tolist() == [5.0, 5.0]


def test_the_model_is_the_jobs_own(tmp_path):
    module, other = build(tmp_path / "a"), build(tmp_path / "b", seed=2)
    inputs = torch.randn(5, 4)

    assert [name for name, _ in module.named_parameters()] == [
        "1.weight",
        "1.bias",
        "3.weight",
        "3.bias",
    ]
    assert not torch.equal(module(inputs), other(inputs))


def test_steps_that_only_warm_up_tell_nothing(tmp_path):
    np.arange(3, dtype=np.float64).tofile(tmp_path / "moments")

    with pytest.raises(RunError, match="only 3 steps were timed"):
        read_laps(tmp_path / "moments", skip=2)


def test_a_run_that_timed_nothing_says_so(tmp_path):
    with pytest.raises(RunError, match="only 0 steps"):
        read_laps(tmp_path / "moments", skip=0)
