"""Synchronous SGD: the mean of all workers' gradients before every step.

    g_i <- (1/p) sum_j g_j ;  then every worker takes the same optimizer step

All workers start from the same x and see the same gradient, so their parameters and optimizer
states stay equal. Buffers such as batch-norm statistics stay local.

Reference: Jin, Yuan, Iandola, Keutzer, 2016 (arXiv:1611.04581), the synchronous baseline.
"""

from torch import Tensor

from gossip_trainer.algorithms.base import Algorithm
from gossip_trainer.algorithms.effects import Average, Effects, Wait
from gossip_trainer.algorithms.iterate import Iterate


class AllReduce(Algorithm):
    """Waits for everyone at every step; equals one worker with a p times larger batch."""

    keeps_equal = True

    def on_gradient(self, x: Iterate, gradient: Tensor) -> Effects:
        """Replace the gradient by its mean over all workers."""
        del x
        average = Average(gradient)
        return (average, Wait(average))
