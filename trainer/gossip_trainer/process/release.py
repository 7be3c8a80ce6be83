"""How a worker that is done waits until it may go."""

import threading
import time
from typing import Final

from gossip_trainer.errors import RunError
from gossip_trainer.process.seat import Seat
from gossip_trainer.progress.shared import JobProgress
from gossip_trainer.replica.export import save_model
from gossip_trainer.replica.snapshots import Pin, Snapshots

RELEASE_SECONDS: Final = 60.0  # without a sign of the evaluator for so long a finished worker goes
POLL_SECONDS: Final = 0.05


def save_own(seat: Seat) -> None:
    """Leave the own final model in the output folder: nobody else saves it.

    Raises:
        RunError: it never arrived from the device.

    """
    final = pin_final(seat.averages or seat.snapshots)
    model, name = seat.task.model, seat.task.name
    model.load_(final.vector)
    final.release()
    path = seat.environment.output / f"{name}.safetensors"
    save_model(model.module, path, {"member": name})


def pin_final(published: Snapshots) -> Pin:
    """Hold the final snapshot, whose copy from a device may yet be under way.

    Raises:
        RunError: it did not arrive in time.

    """
    deadline = time.monotonic() + RELEASE_SECONDS
    while time.monotonic() < deadline:
        newest = published.pin()
        if newest is not None and newest.header.finished:
            return newest
        if newest is not None:
            newest.release()
        time.sleep(POLL_SECONDS)
    raise RunError("the final model did not arrive in host memory in time")


def await_release(progress: JobProgress, leaving: threading.Event) -> bool:
    """Serve until the evaluator lets go; False if it has not been heard for too long."""
    finished = time.monotonic()
    while not progress.released:
        heard = max(finished, progress.evaluator_heard)
        if time.monotonic() - heard > RELEASE_SECONDS or leaving.wait(POLL_SECONDS):
            return False
    return True
