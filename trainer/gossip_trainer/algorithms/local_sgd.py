"""Local SGD: many local steps, then an outer step on how far all workers moved on average (DiLoCo).

Every worker keeps slow weights phi, equal everywhere, and trains x from them. Every `period` steps:

    delta <- (1/p) sum_i (phi - x_i)                    (the outer gradient)
    m     <- mu m + delta
    phi   <- phi - learning rate * (delta + mu m)       (Nesterov, as torch's SGD; heavy ball: m)
    x_i   <- phi

With learning rate 1 and mu = 0 that is plain averaging; with period 1 besides, synchronous SGD, as
all workers step from the same x. Float buffers behind the parameters are always averaged plainly:
momentum could drive a running variance below zero. The inner optimizer's state stays local.

References: Douillard et al., "DiLoCo: Distributed low-communication training of language models",
2023 (arXiv:2311.08105), algorithm 1; Stich, "Local SGD converges fast and communicates little",
2019.
"""

from gossip_trainer.algorithms.base import NOTHING
from gossip_trainer.algorithms.effects import Average, Effects, Rank, Wait
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.algorithms.outer_steps import OuterSteps
from gossip_trainer.algorithms.view import View


class LocalSGD(OuterSteps):
    """Trains alone for `period` steps, then waits for everyone.

    Args:
        rank: the own rank.
        view: the live workers.
        num_parameters: how much of x is parameters; float buffers are behind them.
        period: local steps between two outer steps.
        learning_rate: of the outer steps.
        momentum: mu, in [0, 1).
        nesterov: whether the outer momentum is Nesterov's instead of the heavy ball's.

    """

    def __init__(
        self,
        rank: Rank,
        view: View,
        num_parameters: int,
        *,
        period: int,
        learning_rate: float,
        momentum: float,
        nesterov: bool,
    ) -> None:
        super().__init__(
            rank,
            view,
            num_parameters,
            period=period,
            learning_rate=learning_rate,
            momentum=momentum,
        )
        self._nesterov = nesterov

    def on_step(self, x: Iterate) -> Effects:
        """Every `period` steps average how far the workers moved."""
        return self._outer_step(x) if self._is_due() else NOTHING

    def on_group(self, x: Iterate) -> Effects:
        """Average anew if the outer step that is due was lost."""
        is_due = self._step // self._period > self._round
        return self._outer_step(x) if is_due else NOTHING

    def _outer_step(self, x: Iterate) -> Effects:
        assert self._phi is not None, "a step was begun"
        average = Average(self._phi - x.copy())
        return (average, Wait(average))

    def on_averaged(self, effect: Average, x: Iterate) -> Effects:
        """Take the outer step and train on from there."""
        assert self._phi is not None
        assert self._velocity is not None
        self._round += 1
        n, phi, velocity = self._num_parameters, self._phi, self._velocity
        delta = effect.vector[:n]
        velocity.mul_(self._momentum).add_(delta)
        if self._nesterov:
            delta.add_(velocity, alpha=self._momentum)
        phi[:n].sub_(delta if self._nesterov else velocity, alpha=self._learning_rate)
        phi[n:].sub_(effect.vector[n:])
        x.assign_(phi)
        return NOTHING
