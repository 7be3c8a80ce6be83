"""Several devices of one worker: they share every batch, and only one of them knows the job.

The worker's own process, the leader, computes on the first device. It starts a follower for each
other one. A step is this:

    leader                                followers
    x                        ->           x
    a slice of the batch     ->           a slice of the batch
    gradient of its slice                 gradient of their slices
    mean of all gradients    <-           gradients

The leader alone steps, exchanges, saves and reports. Nothing that it does to x between two batches
has to be repeated elsewhere, and the optimizer's state lies on one device. Float buffers, such as
batch norms' statistics, move by the mean of what every slice did to them.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from multiprocessing import Pipe
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import torch
from torch import Tensor
from torch.distributed import FileStore  # type: ignore[attr-defined]  # not exported there

from gossip_api.training import Training
from gossip_trainer.data.dataset import Batch
from gossip_trainer.errors import DeviceError
from gossip_trainer.replica.flat import FlatModel
from gossip_trainer.training.fabric import Fabric
from gossip_trainer.training.slices import SliceComputation, SliceShapes

START_SECONDS: Final = 600.0  # a follower reads the data set, and may compile
STEP_SECONDS: Final = 600.0
CLOSE_SECONDS: Final = 5.0

Compute = Callable[[Batch], Tensor]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a process of the worker is told at its start.

    Attributes:
        training: the job's.
        path: where Python looks for modules.
        meeting: the file that the worker's processes meet at.
        position: the process's; 0 is the leader.
        size: how many processes the worker has.
        device: the process's.
        num_threads: of its computation.
        rank: the worker's.
        digest: of the model's layout.
        step_seconds: how long one operation between the processes may take.

    """

    training: Training
    path: tuple[str, ...]
    meeting: str
    position: int
    size: int
    device: torch.device
    num_threads: int
    rank: int
    digest: str
    step_seconds: float


class Follower:
    """The leader's hold on one follower: its process and the line to it."""

    def __init__(self, plan: Plan) -> None:
        self._place = f"the process of device {plan.position} ({plan.device})"
        self._line, theirs = Pipe()
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "gossip_trainer.training.follower", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
            env=os.environ | {"PYTHONPATH": os.pathsep.join(plan.path)},
            process_group=0,  # a signal to the worker's group is for the leader to obey
        )
        theirs.close()
        self.tell(plan)

    def tell(self, word: object) -> None:
        """Say something.

        Raises:
            DeviceError: the follower is gone.

        """
        try:
            self._line.send(word)
        except OSError as error:
            raise DeviceError(self.find_lost() or f"{self._place}: {error}") from error

    def await_ready(self, deadline: float) -> None:
        """Wait until it has built its model.

        Raises:
            DeviceError: it cannot, or has not by the deadline (by the monotonic clock).

        """
        if not self._line.poll(max(0.0, deadline - time.monotonic())):
            raise DeviceError(f"{self._place} was not ready within {START_SECONDS:g} s")
        if word := self._hear():
            raise DeviceError(f"{self._place}: {word}")

    def find_lost(self) -> str:
        """Say why it will not answer any more; empty as long as it may."""
        if not self._line.poll():
            return ""
        return f"{self._place}: {self._hear() or 'spoke out of turn'}"

    def end(self) -> None:
        """End it; it has nothing that anybody would miss."""
        self._line.close()
        try:
            self._process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(CLOSE_SECONDS)

    def _hear(self) -> str:
        try:
            return str(self._line.recv())
        except (EOFError, OSError):
            return self._describe_end()

    def _describe_end(self) -> str:
        try:
            code = self._process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            return "it hung up"
        return f"it was killed by signal {-code}" if code < 0 else f"it ended with exit code {code}"


class InnerGroup:
    """The leader's view of all devices: computes a batch's gradient on them together.

    Args:
        model: the leader's, which the gradient is of.
        compute: leaves the gradient of a slice, on the leader's device, in the model.
        followers: those of the other devices, in order.
        fabric: the leader's end.

    """

    def __init__(
        self, model: FlatModel, compute: Compute, followers: Sequence[Follower], fabric: Fabric
    ) -> None:
        self._followers = followers
        self._fabric = fabric
        self._slice = SliceComputation(model, compute, fabric)

    def __call__(self, batch: Batch) -> Tensor:
        """Leave the mean gradient in the leader's model; return the detached mean loss.

        Raises:
            DeviceError: a follower failed, is gone, or did not answer in time.

        """
        size = len(self._followers) + 1
        slices = [
            Batch(*parts)
            for parts in zip(*(each.tensor_split(size) for each in batch), strict=True)
        ]
        for follower, part in zip(self._followers, slices[1:], strict=True):
            follower.tell(SliceShapes.of(part, len(batch.targets)))
        self._slice.receive()
        for position, part in enumerate(slices[1:], start=1):
            self._fabric.give(part, position)
        return self._slice.compute(slices[0], len(batch.targets))


@contextmanager
def computing_on(
    devices: Sequence[torch.device],
    model: FlatModel,
    compute: Compute,
    training: Training,
    *,
    rank: int,
    folder: Path,
    step_seconds: float = STEP_SECONDS,
) -> Iterator[Compute]:
    """Compute gradients on all devices of a worker, each of them with a follower but the first.

    Args:
        devices: of the worker; on the first of them is the model.
        model: the leader's.
        compute: leaves the gradient of a batch, or of a slice of it, in the model.
        training: the job's.
        rank: the worker's.
        folder: where the processes may meet at a file.
        step_seconds: how long one operation between them may take.

    Raises:
        DeviceError: a follower cannot take part.
        CollectiveError: they do not meet.

    """
    size = len(devices)
    if size == 1:
        yield compute
        return
    with TemporaryDirectory(dir=folder, prefix="devices-") as place, ExitStack() as stack:
        plan = Plan(
            training=training,
            path=tuple(sys.path),
            meeting=str(Path(place, "meeting")),
            position=0,
            size=size,
            device=devices[0],
            num_threads=_share_threads(devices),
            rank=rank,
            digest=model.layout.digest(),
            step_seconds=step_seconds,
        )
        followers: list[Follower] = []
        for position in range(1, size):
            followers.append(Follower(replace(plan, position=position, device=devices[position])))
            stack.callback(followers[-1].end)
        deadline = time.monotonic() + START_SECONDS
        for follower in followers:
            follower.await_ready(deadline)
        fabric = _meet(plan, followers)
        stack.callback(fabric.close)
        yield InnerGroup(model, compute, followers, fabric)


def _share_threads(devices: Sequence[torch.device]) -> int:
    """Divide the threads among processes that share the cores; return how many each has."""
    if devices[0].type == "cpu":
        torch.set_num_threads(max(1, torch.get_num_threads() // len(devices)))
    return torch.get_num_threads()


def _meet(plan: Plan, followers: Sequence[Follower]) -> Fabric:
    return Fabric(
        FileStore(plan.meeting, plan.size),
        position=plan.position,
        size=plan.size,
        device=plan.device,
        timeout=timedelta(seconds=plan.step_seconds),
        find_lost=lambda: next(filter(None, (each.find_lost() for each in followers)), ""),
    )
