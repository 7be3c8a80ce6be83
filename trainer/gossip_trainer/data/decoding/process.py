"""A process that decodes for another one; it ends when that one closes the connection, or dies."""

import mmap
import signal
import sys
import traceback
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

from gossip_trainer.errors import GossipTrainerError

if TYPE_CHECKING:
    from gossip_trainer.data.decoding.task import Array, Decoder, RawShape


def main(connection_fd: int, memory_fd: int) -> None:
    """Decode what comes over the connection into the places of the shared memory, in order."""
    # An interrupt from the keyboard goes to all processes; who ends this one is its owner.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = Connection(connection_fd)
    sys.path[:] = connection.recv()
    try:
        decoder: Decoder[Any]
        shape: RawShape
        decoder, shape, num_places = connection.recv()
    except Exception as error:  # noqa: BLE001 - a user's module may fail in any way; it is told
        connection.send((_in_words(error), None))
        return
    memory = mmap.mmap(memory_fd, shape.num_bytes * num_places)
    for number, task in enumerate(iter(_arriving(connection).get, None)):
        inputs = shape.batch_in(memory, number % num_places)
        try:
            answer: tuple[str | None, Array | None] = (None, decoder(task, inputs))
        except Exception as error:  # noqa: BLE001 - whatever it is, the owner raises it
            answer = (_in_words(error), None)
        try:
            connection.send(answer)
        except BrokenPipeError:
            return


def _arriving(connection: Connection) -> "SimpleQueue[Any]":
    """Return a queue of the tasks; None after the last.

    A task may be large, as images are that are still encoded. It is received while another one is
    decoded, so that the owner need not wait until it can send.
    """
    queue: SimpleQueue[Any] = SimpleQueue()

    def receive() -> None:
        try:
            while True:
                queue.put(connection.recv())
        except (EOFError, OSError):
            queue.put(None)

    Thread(target=receive, daemon=True).start()
    return queue


def _in_words(error: Exception) -> str:
    if isinstance(error, GossipTrainerError):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({place.filename}:{place.lineno})"


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
