"""How a worker that is done waits until it may go."""

import threading
import time
from typing import Final

from gossip_trainer.process.seat import Seat
from gossip_trainer.progress.shared import JobProgress
from gossip_trainer.replica.export import save_model

RELEASE_SECONDS: Final = 60.0  # without a sign of the evaluator for so long a finished worker goes
POLL_SECONDS: Final = 0.05


def save_own(seat: Seat) -> None:
    """Leave the own final model in the output folder: nobody else saves it."""
    final = (seat.averages or seat.snapshots).pin()
    assert final is not None, "the final model is published before anyone waits for a release"
    model, name = seat.task.model, seat.task.name
    model.load_(final.vector)
    final.release()
    path = seat.environment.output / f"{name}.safetensors"
    save_model(model.module, path, {"member": name})


def await_release(progress: JobProgress, leaving: threading.Event) -> bool:
    """Serve until the evaluator lets go; False if it has not been heard for too long."""
    finished = time.monotonic()
    while not progress.released:
        heard = max(finished, progress.evaluator_heard)
        if time.monotonic() - heard > RELEASE_SECONDS or leaving.wait(POLL_SECONDS):
            return False
    return True
