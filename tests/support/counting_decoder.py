"""A decoder whose batches are numbers. It is here because other processes must find it by name."""

import os
import signal
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Counting:
    """Makes `task % 4 + 1` rows of `task`; some tasks go wrong."""

    def __call__(self, task, inputs):
        if task < 0:
            os.kill(os.getpid(), -task)
        if task == 13:
            raise ValueError("no such luck")
        if task == 99:
            signal.pause()
        inputs[: task % 4 + 1] = task
        return np.full(task % 4 + 1, task * 10)
