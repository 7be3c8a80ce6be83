"""Where a process's checkpoints lie, and whether it has any."""

from contextlib import ExitStack, closing
from typing import Final

from gossip_api.names import Role
from gossip_trainer.checkpoint.background import BackgroundSaver
from gossip_trainer.checkpoint.store import CheckpointStore
from gossip_trainer.observability.events import Saved, Unsaved
from gossip_trainer.process.memory import Memory
from gossip_trainer.process.seat import Seat

MAX_ASKED: Final = 8  # ranks whose checkpoints are looked for; if one has some, most have


def member_folder(role: Role, index: int) -> str:
    """Return the name of a process's folder below the job's; it stays with the rank."""
    return f"{role.value}-{index}"


def open_memory(stack: ExitStack, seat: Seat) -> Memory | None:
    """Return what this worker saves, if it does."""
    root, settings = seat.environment.checkpoints, seat.task.job.spec.checkpoint
    if root is None or settings is None or not settings.is_written_by(seat.environment.role):
        return None
    ranks = range(min(MAX_ASKED, seat.task.job.spec.workers.replicas))
    own = CheckpointStore(root, member_folder(Role.WORKER, seat.environment.rank), settings.keep)
    others = [CheckpointStore(root, member_folder(Role.WORKER, rank), 1) for rank in ranks]

    def saved(seconds: float, where: str) -> None:
        seat.metrics.checkpoint_saved(seconds)
        seat.events.emit(Saved(where=where, seconds=seconds))

    def failed(error: Exception) -> None:
        seat.metrics.checkpoint_failed()
        seat.events.emit(Unsaved(reason=" ".join(str(error).split())))

    saver = BackgroundSaver(own, on_saved=saved, on_failed=failed)
    stack.enter_context(closing(saver))
    return Memory(own, saver, others=others, every=settings.every.total_seconds())
