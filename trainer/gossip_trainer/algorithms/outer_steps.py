"""What local SGD by all and by pairs have in common: slow weights and outer steps."""

from torch import Tensor, zeros_like

from gossip_trainer.algorithms.base import Algorithm, State
from gossip_trainer.algorithms.effects import Rank
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.algorithms.view import View


class OuterSteps(Algorithm):
    """Keeps phi and its momentum, and counts local steps; what an outer step is, subclasses say.

    Args:
        rank: the own rank.
        view: the live workers.
        num_parameters: how much of x is parameters; float buffers are behind them.
        period: local steps between two outer steps.
        learning_rate: of the outer steps.
        momentum: mu, in [0, 1).

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
    ) -> None:
        super().__init__(rank, view)
        self._num_parameters = num_parameters
        self._period = period
        self._learning_rate = learning_rate
        self._momentum = momentum
        self._step = 0
        self._round = 0  # the number of the next outer step
        self._phi: Tensor | None = None
        self._velocity: Tensor | None = None

    def before_step(self, x: Iterate) -> None:
        """Keep where training starts from."""
        if self._phi is None:
            self._phi = x.copy()
            self._velocity = zeros_like(self._phi[: self._num_parameters])

    def state(self, x: Iterate) -> State:
        """Return the slow weights and their momentum, and how many steps were taken."""
        self.before_step(x)
        assert self._phi is not None
        assert self._velocity is not None
        return State((self._step, self._round), (self._phi, self._velocity))

    def restore(self, counts: tuple[int, ...]) -> None:
        """Go on from counts that `state` returned."""
        self._step, self._round = counts

    def _is_due(self) -> bool:
        """Count a local step; tell whether an outer step is due after it."""
        self._step += 1
        return self._step % self._period == 0
