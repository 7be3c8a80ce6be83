"""The built-in training loop."""

from collections.abc import Callable, Iterator

from torch import Tensor
from torch.optim import Optimizer

from gossip_api.training import Training
from gossip_trainer.data.dataset import Dataset
from gossip_trainer.replica.flat import FlatModel
from gossip_trainer.training.boundary import StepBoundary, Turn
from gossip_trainer.training.news import drive
from gossip_trainer.training.schedules import learning_rate


def train(
    model: FlatModel,
    optimizer: Optimizer,
    dataset: Dataset,
    batches: Iterator[Tensor],
    boundary: StepBoundary,
    *,
    rate: Callable[[float], float],
    wait: Callable[[float], None],
) -> None:
    """Train until the boundary says that it is enough.

    Args:
        model: the model; its gradient is cleared here, never set to None.
        optimizer: holds the model's flat parameter.
        dataset: gives the examples of an index batch.
        batches: an endless stream of index batches, each int64 of shape (batch_size,).
        boundary: told when a step begins, when its gradient is ready and when it is done.
        rate: from the job-wide epoch to the learning rate.
        wait: waits for news of the others, at most so many seconds.

    """
    module, group = model.module, optimizer.param_groups[0]
    module.train()
    for indices in batches:
        inputs, targets = dataset.train_batch(indices)
        turn = Turn.REPEAT
        while turn is Turn.REPEAT:
            boundary.begin_step()
            model.gradient.zero_()
            loss = dataset.loss(module(inputs), targets)
            loss.backward()  # type: ignore[no-untyped-call]
            turn = drive(boundary.gradient_ready(samples=len(targets)), wait)
        if turn is Turn.END:
            return
        # Set here and not before: until now the step before's rate tells where x lies.
        group["lr"] = rate(boundary.epoch)
        if boundary.steps_locally:
            optimizer.step()
        if not drive(boundary.step_done(loss.item()), wait):
            return


def rate_of(training: Training, total_epochs: float | None) -> Callable[[float], float]:
    """Return the job's learning rate as a function of the job-wide epoch."""
    return lambda epoch: learning_rate(
        training.optimizer, training.schedule, epoch, total_epochs=total_epochs
    )
