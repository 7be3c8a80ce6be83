"""The exponential moving average of one worker's x, published beside it for the evaluator.

e <- d_t e + (1 - d_t) x after every k-th step, with d_t = min(d, (1 + t) / (10 + t)) at the t-th
change: the average follows fast as long as it has seen little. It takes no part in training and no
peer mixes it in. The mean of the workers' averages is the average of their means.

Reference: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992, for
why averages of iterates generalise; with decaying weights it is what image recipes call EMA.
"""

from torch import Tensor

from gossip_api.training import MovingAverage as Settings
from gossip_api.training import Training
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.training.links import Publisher
from gossip_trainer.transport.wire import SnapshotHeader


class MovingAverage:
    """One worker's.

    Args:
        settings: its decay rate, and how often it changes.
        vector: x as training begins, shape (size,).
        publisher: gives it to the evaluator.

    Attributes:
        vector: the average, with buffers such as batch-norm statistics, shape (size,).

    """

    def __init__(self, settings: Settings, vector: Tensor, publisher: Publisher) -> None:
        self._settings = settings
        self._publisher = publisher
        self._is_published = False
        self.vector = vector.detach().clone()

    def step_done(self, x: Iterate, header: SnapshotHeader) -> None:
        """Take in x where it is time to; a publication that finds no room is made good later."""
        if header.step % self._settings.every_steps == 0:
            num_changes = header.step // self._settings.every_steps
            x.drag_(self.vector, 1.0 - decay(self._settings.decay, num_changes))
            self._is_published = False
        if not self._is_published:
            self._is_published = self.publish(header)

    def publish(self, header: SnapshotHeader) -> bool:
        """Give it out as it is; False if there is no room for it now."""
        return self._publisher.publish(Iterate(self.vector), header)


def average_of(
    training: Training, vector: Tensor, publisher: Publisher | None
) -> MovingAverage | None:
    """Return the average of a worker that begins with `vector`, if the job wants one."""
    if training.moving_average is None or publisher is None:
        return None
    return MovingAverage(training.moving_average, vector, publisher)


def decay(limit: float, num_changes: int) -> float:
    """Return what of the average stays at its change number `num_changes`, the first being 1."""
    return min(limit, (1 + num_changes) / (10 + num_changes))
