"""One optimizer step between two step boundaries, whoever computes the gradient.

The built-in loop and a user's own come through here: the gradient is checked and clipped, the
boundary is told, the optimizer steps at the schedule's rate, the boundary is told again.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from torch.optim import Optimizer

from gossip_trainer.errors import DivergedError
from gossip_trainer.replica.flat import FlatModel
from gossip_trainer.training.boundary import StepBoundary, Turn
from gossip_trainer.training.gradient import clip_
from gossip_trainer.training.news import drive

NonFinite = Literal["Stop", "Skip"]


@dataclass(frozen=True, slots=True)
class StepRules:
    """What a step obeys.

    Attributes:
        rate: from the job-wide epoch and the number of live workers to the learning rate; None
            where the optimizer's own stays.
        non_finite: what a loss or a gradient that is not finite does.
        max_norm: the gradient is scaled down to this norm; None if it may have any.

    """

    rate: Callable[[float, int], float] | None = None
    non_finite: NonFinite = "Stop"
    max_norm: float | None = None


class Stepper:
    """Takes one worker's steps.

    Args:
        model: its flat gradient is what counts.
        optimizer: moves the model.
        boundary: told when a step begins, when its gradient is ready and when it is done.
        rules: see there.
        wait: waits for news of the others, at most so many seconds.

    Attributes:
        going: whether there is more to train.
        in_step: whether a step was begun and has not been taken yet.

    """

    def __init__(
        self,
        model: FlatModel,
        optimizer: Optimizer,
        boundary: StepBoundary,
        *,
        rules: StepRules,
        wait: Callable[[float], None],
    ) -> None:
        self._model = model
        self._optimizer = optimizer
        self._boundary = boundary
        self._rules = rules
        self._wait = wait
        self.going = True
        self.in_step = False

    def begin(self) -> None:
        """Before forward; of a step whose gradient comes in parts, before each of them."""
        if not self.in_step:
            self._boundary.begin_step()
        self.in_step = True

    def step(self, compute: Callable[[], Tensor], samples: int) -> None:
        """Take a step.

        Args:
            compute: leaves the gradient of the step in the model's flat gradient and returns the
                loss. Called again, with zeros there, where a collective lost a member.
            samples: how many `compute` learns from.

        Raises:
            DivergedError: loss or gradient is not finite, and the rule is to stop.

        """
        boundary, has_mean = self._boundary, self._boundary.averages_gradients
        self.in_step = False
        while True:
            loss = compute().item()
            usable = has_mean or self._check(loss)
            turn = drive(boundary.gradient_ready(samples), self._wait)
            if turn is not Turn.REPEAT:
                break
            boundary.begin_step()
        if turn is Turn.END:
            self.going = False
            return
        # Of a mean all workers judge alike, and only that is what they step by.
        usable = self._check(loss) if has_mean else usable
        # Set here and not before: until now the step before's rate tells where x lies.
        if self._rules.rate is not None:
            rate = self._rules.rate(boundary.epoch, boundary.num_live)
            for group in self._optimizer.param_groups:
                group["lr"] = rate
        if boundary.steps_locally and usable:
            self._optimizer.step()
        self.going = drive(boundary.step_done(loss, skipped=not usable), self._wait)

    def _check(self, loss: float) -> bool:
        """Clip the gradient; tell whether it is of any use. One that is not becomes zero."""
        boundary, rules = self._boundary, self._rules
        # Of a mean only the mean counts, which is alike for all; a loss is each one's own.
        judged = 0.0 if boundary.averages_gradients else loss
        fault = clip_or_clear_(self._model.gradient, judged, rules.max_norm)
        if fault and rules.non_finite == "Stop":
            boundary.diverged()
            raise DivergedError(
                f"training diverged: at step {boundary.counters.steps + 1} {fault}; lower "
                "spec.training.optimizer.learningRate, warm up, or clip the gradient; "
                "spec.training.nonFinite: Skip leaves such steps out"
            )
        return not fault


def clip_or_clear_(gradient: Tensor, loss: float, max_norm: float | None) -> str:
    """Scale a gradient down to `max_norm`; one that nobody should follow becomes zero.

    Returns what is wrong with it in words; nothing if it may be followed.
    """
    norm = clip_(gradient, math.inf if max_norm is None else max_norm)
    if math.isfinite(norm) and math.isfinite(loss):
        return ""
    gradient.zero_()
    return f"the loss is {loss}" if not math.isfinite(loss) else f"the gradient's norm is {norm}"
