"""The built-in training loop as a worker's process runs it."""

from contextlib import closing

from gossip_trainer.process.session import Session
from gossip_trainer.process.shell import Shell
from gossip_trainer.process.task import Task
from gossip_trainer.training.gradient import GradientComputation
from gossip_trainer.training.inner_group import computing_on
from gossip_trainer.training.loop import train
from gossip_trainer.training.rank import batches_of


def run_worker(shell: Shell, task: Task) -> None:
    """Train one rank's share of the job."""
    spec, rank = task.job.spec, shell.environment.rank
    with Session.within(shell, task) as session:
        compute_gradient = GradientComputation(task.model, task.dataset.loss, spec.training)
        if compute_gradient.scale is not None:
            session.register("scale", compute_gradient.scale)
        task.model.module.train()
        # What a replay does again must not depend on who was there when.
        live_ranks = None if shell.environment.trace else lambda: session.live_ranks
        stream = batches_of(spec, rank, task.dataset, session.saved_position, live_ranks=live_ranks)
        with (
            closing(stream),
            computing_on(
                task.devices,
                task.model,
                compute_gradient,
                spec.training,
                rank=rank,
                folder=shell.environment.output,
            ) as compute_on_all,
        ):
            train(session, stream, compute_on_all)
