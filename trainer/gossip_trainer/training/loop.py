"""The built-in training loop, which is a user of a session like any other."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Protocol

from torch import Tensor

from gossip_trainer.data.dataset import Batch


class Steps(Protocol):
    """What the loop needs of a session."""

    def batches(self, loader: Iterable[Batch]) -> Iterator[Batch]:
        """Yield batches until the job ends."""
        ...

    def step(self, loss: Callable[[], Tensor], *, samples: int | None = None) -> None:
        """Step by the gradient that `loss` computes."""
        ...


def train(
    session: Steps, batches: Iterable[Batch], compute_gradient: Callable[[Batch], Tensor]
) -> None:
    """Train until the session says that it is enough.

    Args:
        session: takes the steps.
        batches: an endless stream.
        compute_gradient: leaves a batch's gradient in the model's flat one; returns the loss.

    """
    for batch in session.batches(batches):
        session.step(partial(compute_gradient, batch), samples=len(batch.targets))
