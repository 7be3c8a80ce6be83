"""Where a process's checkpoints lie, and who hears of the saving."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Final

from gossip_api.names import Role
from gossip_trainer.checkpoint.background import BackgroundSaver
from gossip_trainer.checkpoint.store import CheckpointStore
from gossip_trainer.observability.events import Saved, Unsaved
from gossip_trainer.process.memory import Memory
from gossip_trainer.process.seat import Seat
from gossip_trainer.process.shell import Shell
from gossip_trainer.process.task import Task

MAX_ASKED: Final = 8  # ranks whose checkpoints are looked for; if one has some, most have


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where one worker or server saves.

    Attributes:
        root: of the job's checkpoints.
        store: the process's own.
        saver: writes there, beside the process's own thread.
        every: seconds between two checkpoints.

    """

    root: str
    store: CheckpointStore
    saver: BackgroundSaver
    every: float


def open_shelf(
    stack: ExitStack,
    shell: Shell,
    task: Task,
    *,
    on_saved: Callable[[float], None] = lambda _seconds: None,
    on_failed: Callable[[], None] = lambda: None,
) -> Shelf | None:
    """Return where this process saves, if it does; the log hears of it, and who is given."""
    environment, settings = shell.environment, task.job.spec.checkpoint
    root = environment.checkpoints
    if root is None or settings is None or not settings.is_written_by(environment.role):
        return None

    def saved(seconds: float, where: str) -> None:
        on_saved(seconds)
        shell.events.emit(Saved(where=where, seconds=seconds))

    def failed(error: Exception) -> None:
        on_failed()
        shell.events.emit(Unsaved.because(error))

    folder = member_folder(environment.role, environment.rank)
    store = CheckpointStore(root, folder, settings.keep)
    saver = BackgroundSaver(store, on_saved=saved, on_failed=failed)
    stack.enter_context(closing(saver))
    return Shelf(root, store, saver, settings.every.total_seconds())


def member_folder(role: Role, index: int) -> str:
    """Return the name of a process's folder below the job's; it stays with the rank."""
    return f"{role.value}-{index}"


def open_memory(stack: ExitStack, shell: Shell, seat: Seat) -> Memory | None:
    """Return what this worker saves, if it does."""
    metrics = seat.metrics
    shelf = open_shelf(
        stack,
        shell,
        seat.task,
        on_saved=metrics.checkpoint_saved,
        on_failed=metrics.checkpoint_failed,
    )
    if shelf is None:
        return None
    ranks = range(min(MAX_ASKED, seat.task.job.spec.workers.replicas))
    others = [CheckpointStore(shelf.root, member_folder(Role.WORKER, rank), 1) for rank in ranks]
    return Memory(shelf.store, shelf.saver, others=others, every=shelf.every)
