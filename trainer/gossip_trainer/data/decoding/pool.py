"""Decoding beside the training: tasks go out in order, and batches come back in the same order.

Batches lie in memory that the processes share, so that nothing is copied on the way. The processes
are started afresh, not forked: a copy of a process with threads, as training has them, may hang.
"""

import mmap
import os
import pickle
import signal
import subprocess
import sys
from collections import deque
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Final, Generic, Protocol, TypeVar

from gossip_trainer.data.decoding.task import Array, Decoder, RawShape
from gossip_trainer.errors import DataError

TaskT = TypeVar("TaskT")
TaskT_contra = TypeVar("TaskT_contra", contravariant=True)

BATCH_SECONDS: Final = 300.0  # a batch that takes longer does not come
END_SECONDS: Final = 5.0
_PLACES: Final = 2  # batches that a process is ahead


class Decoding(Protocol[TaskT_contra]):
    """Where tasks become batches.

    Attributes:
        ahead: how many tasks may be under way.

    """

    ahead: int

    def submit(self, task: TaskT_contra) -> None:
        """Begin a task; at most `ahead` may be under way."""
        ...

    def take(self) -> tuple[Array, Array]:
        """Return inputs and targets of the oldest task, good until the next is submitted.

        Raises:
            DataError: the task failed, or what decodes it died or does not answer.

        """
        ...

    def close(self) -> None:
        """End what works for it; may be called twice."""
        ...


def open_decoding(decoder: Decoder[TaskT], shape: RawShape, num_processes: int) -> Decoding[TaskT]:
    """Return where `decoder` decodes: in so many processes, or in this one with 0."""
    if num_processes:
        return DecodingProcesses(decoder, shape, num_processes)
    return DecodingHere(decoder, shape)


class DecodingHere(Generic[TaskT]):
    """Decodes when a batch is taken."""

    ahead = 1

    def __init__(self, decoder: Decoder[TaskT], shape: RawShape) -> None:
        self._decoder = decoder
        self._inputs = shape.batch_in(bytearray(shape.num_bytes), 0)
        self._tasks: deque[TaskT] = deque()

    def submit(self, task: TaskT) -> None:
        """Note a task."""
        self._tasks.append(task)

    def take(self) -> tuple[Array, Array]:
        """Decode the oldest task."""
        targets = self._decoder(self._tasks.popleft(), self._inputs)
        return self._inputs[: len(targets)], targets

    def close(self) -> None:
        """There is nothing to end."""


class DecodingProcesses(Generic[TaskT]):
    """Decodes in processes, which take turns."""

    def __init__(self, decoder: Decoder[TaskT], shape: RawShape, num_processes: int) -> None:
        self.ahead = num_processes * _PLACES
        self._num_submitted = self._num_taken = 0
        content = _pickled((decoder, shape, _PLACES))
        self._hands: list[_Hand] = []
        try:
            for _ in range(num_processes):
                self._hands.append(_Hand(shape, content))
        except OSError as error:
            self.close()
            raise DataError(f"a process that decodes cannot be started: {error}") from error

    def submit(self, task: TaskT) -> None:
        """Give a task to the process whose turn it is."""
        self._hands[self._num_submitted % len(self._hands)].give(task)
        self._num_submitted += 1

    def take(self) -> tuple[Array, Array]:
        """Wait for the oldest task's batch."""
        hand = self._hands[self._num_taken % len(self._hands)]
        place = self._num_taken // len(self._hands) % _PLACES
        self._num_taken += 1
        return hand.hear(place)

    def close(self) -> None:
        """End the processes."""
        for hand in self._hands:
            hand.end()
        self._hands = []


class _Hand:
    """One process and the memory that its batches lie in."""

    def __init__(self, shape: RawShape, content: bytes) -> None:
        self._shape = shape
        # Not in /dev/shm: that holds 64 MiB in a container where nobody asked for more.
        memory_fd = os.memfd_create("batches")
        self._connection, theirs = Pipe()
        try:
            os.ftruncate(memory_fd, shape.num_bytes * _PLACES)
            self._memory = mmap.mmap(memory_fd, shape.num_bytes * _PLACES)
            self._process = _start(theirs, memory_fd)
        finally:
            theirs.close()
            os.close(memory_fd)
        self._send(pickle.dumps(sys.path))
        self._send(content)

    def give(self, task: object) -> None:
        self._send(_pickled(task))

    def hear(self, place: int) -> tuple[Array, Array]:
        try:
            if not self._connection.poll(BATCH_SECONDS):
                raise DataError(
                    f"no batch was decoded within {BATCH_SECONDS:g} s; see whether the storage of "
                    "the data answers"
                )
            problem, targets = self._connection.recv()
        except (EOFError, OSError) as error:
            raise DataError(self._death()) from error
        if problem is not None:
            raise DataError(problem)
        return self._shape.batch_in(self._memory, place)[: len(targets)], targets

    def end(self) -> None:
        self._connection.close()
        self._process.kill()
        self._exit_code()

    def _send(self, content: bytes) -> None:
        try:
            self._connection.send_bytes(content)
        except OSError as error:
            raise DataError(self._death()) from error

    def _death(self) -> str:
        code = self._exit_code()  # it is going: its end of the connection is closed
        if code == -signal.SIGKILL:
            how = "was killed; it may need more memory than there is"
        else:
            how = f"ended with exit code {code}"
        return f"a process that decodes the data {how}"

    def _exit_code(self) -> int | None:
        """Return the code of a process that is going; None if the kernel holds it fast."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)
        return self._process.returncode


def _start(connection: Connection, memory_fd: int) -> "subprocess.Popen[bytes]":
    numbers = (connection.fileno(), memory_fd)
    return subprocess.Popen(  # noqa: S603 - this Python, a module of this package
        [sys.executable, "-m", "gossip_trainer.data.decoding.process", *map(str, numbers)],
        stdin=subprocess.DEVNULL,
        pass_fds=numbers,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def _pickled(thing: object) -> bytes:
    try:
        return pickle.dumps(thing, pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        raise DataError(
            f"the data set cannot be sent to processes that decode ({error}); make it of classes "
            "and functions of a module, or set spec.training.data.args.processes to 0"
        ) from error
