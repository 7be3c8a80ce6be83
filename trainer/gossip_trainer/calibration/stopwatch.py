"""The job's own model with a stopwatch: the process notes when each training forward begins.

The time from one forward to the next is a whole step of the real loop. Noting it is one small write
to a file, so the step is not slower for being timed, and nothing else knows of it.
"""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from gossip_api.training import Model
from gossip_trainer.errors import RunError
from gossip_trainer.models.registry import build_model

NAME = "gossip_trainer.calibration.stopwatch:timed"


def timed(
    model: Mapping[str, object],
    seed: int,
    file: str,
    input_shape: Sequence[int],
    num_classes: int,
) -> nn.Module:
    """Build a job's model and let it append to `file`, in training, when each forward begins."""
    module = build_model(
        Model.model_validate(model),
        input_shape=tuple(input_shape),
        num_classes=num_classes,
        seed=seed,
    )
    target = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def note(module: nn.Module, _inputs: object) -> None:
        if module.training:  # the evaluator and the trial before training do not count
            os.write(target, np.float64(time.perf_counter()).tobytes())

    module.register_forward_pre_hook(note)
    return module


def read_laps(file: Path, *, skip: int, forwards_per_step: int = 1) -> NDArray[np.float64]:
    """Return the seconds of each step but the first `skip`, shape (steps,).

    Args:
        file: what the model wrote.
        skip: steps that warm up.
        forwards_per_step: how often the model is asked in one step.

    Raises:
        RunError: there are none.

    """
    moments = np.frombuffer(file.read_bytes() if file.exists() else b"", dtype=np.float64)
    moments = moments[::forwards_per_step]
    laps = np.diff(moments)[skip:]
    if not len(laps):
        raise RunError(f"{file}: only {len(moments)} steps were timed; {skip} of them warm up")
    return laps
