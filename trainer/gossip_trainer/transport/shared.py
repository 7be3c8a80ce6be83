"""Snapshots in memory that the processes of one machine share: a pull is one copy, no peer helps.

The owner's rotating buffers lie in an anonymous file in memory (memfd), which others open through
the owner's /proc entry. It has no name to clean up: the system frees it when its last user is gone,
however that one ends. Its size is sealed, so that reading a mapping of it can never fault.

A reader does not hold the owner up; each buffer has a generation, odd while it is written, that
tells the reader afterwards whether what it copied is of one snapshot (a seqlock). It knows neither
tensors nor how buffers rotate.
"""

import fcntl
import logging
import mmap
import os
import stat
import sys
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from gossip_trainer.errors import GossipTrainerError
from gossip_trainer.transport.errors import (
    HandshakeRefused,
    NotReady,
    PeerLost,
    ProtocolError,
)
from gossip_trainer.transport.identity import Identity, objection
from gossip_trainer.transport.limits import Limits
from gossip_trainer.transport.snapshots import Courier
from gossip_trainer.transport.wire import Hello, Reply, SnapshotHeader, decode

log: Final = logging.getLogger(__name__)

MAGIC: Final = int.from_bytes(b"GSSPMEM1", sys.byteorder)
PAGE_BYTES: Final = 4096
RECORD_BYTES: Final = 32 << 10
ATTEMPTS: Final = 8
_WORD: Final = 8

# The first page: these words, then the owner's Hello.
_MAGIC, _NUM_BUFFERS, _NEWEST, _HELLO_BYTES = range(4)  # newest counts from 1; 0 is none yet
_HELLO: Final = 64
# A buffer: these words, a Reply of at most RECORD_BYTES, and on a page of its own the vector.
_GENERATION, _PUBLISHED, _REPLY_BYTES = range(3)  # published in ns of the system's monotonic clock
_REPLY: Final = 64
_VECTOR: Final = _REPLY + RECORD_BYTES + (-(_REPLY + RECORD_BYTES) % PAGE_BYTES)

_encode: Final = msgspec.msgpack.Encoder().encode


class _Fence:
    """Keeps memory accesses before it apart from those behind it, as the order of a seqlock needs.

    x86 keeps the order by itself; elsewhere two uses of a lock, one after the other, are a barrier.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            pass
        with self._lock:
            pass


class Slot:
    """One of the owner's buffers: `begin`, write to `vector`, `commit`.

    Attributes:
        vector: the writable bytes of the flat tensor.

    """

    def __init__(
        self, page: memoryview, buffer: memoryview, number: int, num_bytes: int, courier: Courier
    ) -> None:
        self.vector = buffer[_VECTOR : _VECTOR + num_bytes]
        self._page = page
        self._words = buffer[:_REPLY].cast("Q")
        self._record = buffer[_REPLY : _REPLY + RECORD_BYTES]
        self._number = number
        self._courier = courier
        self._fence = _Fence()

    def begin(self) -> None:
        """Invalidate what is in the buffer, for it is about to be overwritten."""
        self._words[_GENERATION] |= 1
        self._fence()

    def commit(self, header: SnapshotHeader) -> None:
        """Make what was written the newest snapshot, with what the courier has to tell."""
        reply = _encode(Reply(snapshot=header, gossip=self._courier.send()))
        if len(reply) > RECORD_BYTES:  # a courier with much to tell is heard over TCP only
            reply = _encode(Reply(snapshot=header, gossip=b""))
        self._record[: len(reply)] = reply
        self._words[_REPLY_BYTES] = len(reply)
        self._words[_PUBLISHED] = time.monotonic_ns()
        self._fence()
        self._words[_GENERATION] += 1
        self._page[_NEWEST] = self._number
        self._fence()


class SharedMemory:
    """The owner's side: as many buffers as rotate, all zero.

    Attributes:
        path: where others on this machine open it while it is not closed.
        slots: the buffers.

    """

    def __init__(self, identity: Identity, courier: Courier, *, num_buffers: int) -> None:
        """Create it, all its memory at once; raise OSError if there is not enough."""
        if sys.platform != "linux":
            raise OSError("memory is shared on Linux only")
        stride = _stride(identity.num_bytes)
        size = PAGE_BYTES + num_buffers * stride
        self._fd = os.memfd_create(identity.member, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.posix_fallocate(self._fd, 0, size)
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
            fcntl.fcntl(self._fd, fcntl.F_ADD_SEALS, seals)
            flags = mmap.MAP_SHARED | mmap.MAP_POPULATE
            memory = memoryview(mmap.mmap(self._fd, size, flags=flags))
        except OSError:
            self.close()
            raise
        self.path = f"/proc/{os.getpid()}/fd/{self._fd}"
        hello = _encode(Hello.of(identity))
        page = memory[:_HELLO].cast("Q")
        memory[_HELLO : _HELLO + len(hello)] = hello
        page[_HELLO_BYTES], page[_NUM_BUFFERS], page[_MAGIC] = len(hello), num_buffers, MAGIC
        self.slots = tuple(
            Slot(page, buffer, number, identity.num_bytes, courier)
            for number, buffer in enumerate(_cut(memory, num_buffers, stride), start=1)
        )

    def close(self) -> None:
        """Let nobody open it any more; once. Those who have may read on, and so may the owner."""
        os.close(self._fd)


def share_memory(identity: Identity, courier: Courier, *, num_buffers: int) -> SharedMemory | None:
    """Create shared memory; None, with a line in the log, where the system gives none."""
    try:
        return SharedMemory(identity, courier, num_buffers=num_buffers)
    except OSError as error:
        log.warning(
            "%s shares no memory, so its peers pull its model over TCP: %s", identity.member, error
        )
        return None


class _Mapping:
    """Another process's memory, mapped and found to be what it should be."""

    def __init__(self, path: str, own: Identity, expect: str) -> None:
        memory = memoryview(_map(path, expect))
        self._page = memory[:_HELLO].cast("Q")
        if self._page[_MAGIC] != MAGIC:
            raise ProtocolError(
                f"{path} begins with {self._page[_MAGIC]:#x} instead of {MAGIC:#x}: it is no "
                f"shared memory of {expect}, or of another release"
            )
        hello = memory[_HELLO:PAGE_BYTES][: self._page[_HELLO_BYTES]]
        self.owner = decode(Hello, hello).identity()
        _check(path, own, self.owner, expect)
        stride, num_buffers = _stride(own.num_bytes), self._page[_NUM_BUFFERS]
        if memory.nbytes != PAGE_BYTES + num_buffers * stride:
            raise ProtocolError(
                f"{path} has {memory.nbytes} bytes, {num_buffers} buffers of {expect} take "
                f"{PAGE_BYTES + num_buffers * stride}"
            )
        self._buffers = list(_cut(memory, num_buffers, stride))
        self._fence = _Fence()

    def read(self, into: memoryview, window_seconds: float, start: int) -> Reply:
        """Copy the newest snapshot from byte `start` on; raises as `SharedClient.pull` does."""
        target = np.frombuffer(into, np.uint8)
        for _ in range(ATTEMPTS):
            buffer = self._newest()
            words = buffer[:_REPLY].cast("Q")
            generation = words[_GENERATION]
            self._fence()
            published, size = words[_PUBLISHED], words[_REPLY_BYTES]
            record = bytes(buffer[_REPLY : _REPLY + RECORD_BYTES][:size])
            if not self._holds(words, generation):
                continue
            reply = decode(Reply, memoryview(record))
            age = (time.monotonic_ns() - published) * 1e-9
            if age > window_seconds and not reply.snapshot.finished:
                raise PeerLost("stalled", f"{self.owner.member} published nothing for {age:.1f} s")
            # numpy's copy lets the process's other threads run.
            first = _VECTOR + start
            vector = buffer[first : first + into.nbytes]
            np.copyto(target, np.frombuffer(vector, np.uint8))
            if self._holds(words, generation):
                return reply
        raise PeerLost(
            "stalled",
            f"{self.owner.member} overwrote its snapshot in each of {ATTEMPTS} attempts to read it",
        )

    def _newest(self) -> memoryview:
        number = self._page[_NEWEST]
        if number == 0:
            raise NotReady(f"{self.owner.member} has not published a snapshot yet")
        if number > len(self._buffers):
            raise ProtocolError(
                f"{self.owner.member} calls buffer {number} its newest and has {len(self._buffers)}"
            )
        return self._buffers[number - 1]

    def _holds(self, words: memoryview, generation: int) -> bool:
        """Tell whether what was read since the fence is all of that generation."""
        self._fence()
        return generation % 2 == 0 and bool(words[_GENERATION] == generation)


class SharedClient:
    """Reads the shared memory of peers on this machine; used by one thread at a time."""

    def __init__(
        self, identity: Identity, courier: Courier, *, limits: Limits | None = None
    ) -> None:
        self._identity = identity
        self._courier = courier
        self._limits = limits or Limits()
        self._kept: OrderedDict[str, _Mapping] = OrderedDict()

    def pull(
        self, path: str, into: memoryview, *, expect: str, start: int | None = None
    ) -> SnapshotHeader:
        """Copy the newest snapshot of the member `expect`, whose memory is `path`, into `into`.

        Args:
            path: as the peer announces it.
            into: writable bytes of the flat tensor, exactly the identity's `num_bytes`, or of the
                part of it that is read. After an error they are undefined.
            expect: the member it must belong to, such as "worker-3-0".
            start: the first byte of the part that is read; None reads all.

        Raises:
            PeerLost: the memory cannot be opened, the peer published nothing for `window_seconds`
                without having finished, or overwrote what was being read again and again.
            HandshakeRefused: it is of another member, job, model or protocol.
            NotReady: nothing is published yet.
            ProtocolError: what is there makes no sense.

        """
        size, first = self._identity.num_bytes, start or 0
        if first + into.nbytes > size or (start is None and into.nbytes != size):
            part = "" if start is None else f" from byte {first} on"
            raise ValueError(f"`into` has {into.nbytes} bytes, the model {size - first}{part}")
        mapping = self._mapping(path, expect)
        reply = mapping.read(into, self._limits.window_seconds, first)
        if reply.gossip:
            try:
                self._courier.receive(expect, reply.gossip)
            except GossipTrainerError as error:
                raise ProtocolError(f"what {expect} tells makes no sense: {error}") from error
        return reply.snapshot

    def _mapping(self, path: str, expect: str) -> _Mapping:
        mapping = self._kept.pop(path, None)
        if mapping is None or mapping.owner.member != expect:  # a process id may come again
            mapping = _Mapping(path, self._identity, expect)
            # Whoever maps the memory of one that is gone keeps the system from freeing it.
            for gone in [kept for kept in self._kept if not Path(kept).exists()]:
                del self._kept[gone]
        self._kept[path] = mapping
        if len(self._kept) > self._limits.open_connections:
            self._kept.popitem(last=False)
        return mapping


def _stride(num_bytes: int) -> int:
    return _VECTOR + num_bytes + (-num_bytes % PAGE_BYTES)


def _cut(memory: memoryview, num_buffers: int, stride: int) -> list[memoryview]:
    starts = range(PAGE_BYTES, PAGE_BYTES + num_buffers * stride, stride)
    return [memory[start : start + stride] for start in starts]


def _check(path: str, own: Identity, owner: Identity, expect: str) -> None:
    if owner.member != expect:
        raise HandshakeRefused(
            f"{path} is the memory of {owner.member}, {expect} was expected: look the peer up again"
        )
    if (reason := objection(own, owner)) is not None:
        raise HandshakeRefused(reason)


def _map(path: str, expect: str) -> mmap.mmap:
    """Map what is at `path` for reading, if its size is sealed."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise PeerLost(
            "unreachable", f"the memory of {expect} cannot be opened: {error}"
        ) from error
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size < PAGE_BYTES or not _is_sealed(fd):
            raise ProtocolError(
                f"{path}, the memory of {expect}, must be a memfd of at least {PAGE_BYTES} bytes "
                f"with a sealed size; it has {status.st_size} bytes"
            )
        flags = mmap.MAP_SHARED | mmap.MAP_POPULATE
        return mmap.mmap(fd, status.st_size, flags=flags, prot=mmap.PROT_READ)
    except OSError as error:
        raise PeerLost(
            "unreachable", f"the memory of {expect} cannot be mapped: {error}"
        ) from error
    finally:
        os.close(fd)


def _is_sealed(fd: int) -> bool:
    try:
        return bool(fcntl.fcntl(fd, fcntl.F_GET_SEALS) & fcntl.F_SEAL_SHRINK)
    except OSError:  # only files in memory can be sealed
        return False
