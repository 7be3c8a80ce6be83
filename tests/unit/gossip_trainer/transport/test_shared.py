import fcntl
import mmap
import os
import resource
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from gossip_trainer.errors import ProgressError
from gossip_trainer.transport import shared
from gossip_trainer.transport.errors import HandshakeRefused, NotReady, PeerLost, ProtocolError
from gossip_trainer.transport.identity import Identity
from gossip_trainer.transport.limits import Limits
from gossip_trainer.transport.shared import SharedClient, SharedMemory, share_memory
from gossip_trainer.transport.wire import Hello, SnapshotHeader

NUM_BYTES = 3 * 4096 + 64
OWNER = Identity("job-1", "worker-0-0", "layout-1", NUM_BYTES)
READER = replace(OWNER, member="worker-1-0")
HEADER = SnapshotHeader(step=17, samples=544, loss=0.25, extra=b"opaque")
CONTENT = os.urandom(NUM_BYTES)


@pytest.fixture
def courier(notebook):
    return notebook(b"counters")


@pytest.fixture
def memory(courier):
    memory = SharedMemory(OWNER, courier, num_buffers=3)
    yield memory
    memory.close()


@pytest.fixture
def into():
    return memoryview(bytearray(NUM_BYTES))


@pytest.fixture
def listener(notebook):
    return notebook()


@pytest.fixture
def client(listener):
    return SharedClient(READER, listener)


@pytest.fixture
def clock(monkeypatch):
    """Let the test say how many seconds have passed since now."""

    class Clock:
        passed = 0.0
        monotonic_ns = staticmethod(lambda: int(1e15 + Clock.passed * 1e9))

    monkeypatch.setattr(shared, "time", Clock)
    return Clock


def publish(memory, content=CONTENT, header=HEADER, slot=0):
    memory.slots[slot].begin()
    memory.slots[slot].vector[:] = content
    memory.slots[slot].commit(header)


def rewrite(memory, offset, data):
    """Change the owner's memory behind its back."""
    os.pwrite(memory._fd, data, offset)


def word(number):
    return number.to_bytes(8, "little")


# What a pull brings


def test_a_pull_brings_content_header_and_what_the_courier_tells(memory, client, into, listener):
    publish(memory)
    assert client.pull(memory.path, into, expect="worker-0-0") == HEADER
    assert bytes(into) == CONTENT
    assert listener.heard == [("worker-0-0", b"counters")]


def test_a_pull_brings_the_newest_of_the_buffers(memory, client, into):
    for step in range(7):
        publish(memory, bytes([step]) * NUM_BYTES, SnapshotHeader(step=step, samples=0), step % 3)
        assert client.pull(memory.path, into, expect="worker-0-0").step == step
        assert bytes(into) == bytes([step]) * NUM_BYTES


def test_before_the_first_publish_there_is_nothing_to_pull(memory, client, into):
    with pytest.raises(NotReady, match="worker-0-0 has not published"):
        client.pull(memory.path, into, expect="worker-0-0")
    memory.slots[0].begin()
    with pytest.raises(NotReady):
        client.pull(memory.path, into, expect="worker-0-0")


def test_what_is_being_written_elsewhere_does_not_hold_up_a_reader(memory, client, into):
    publish(memory)
    memory.slots[1].begin()
    memory.slots[2].begin()
    assert client.pull(memory.path, into, expect="worker-0-0") == HEADER


def test_gossip_that_is_too_long_is_left_out_and_the_model_still_comes(client, into, notebook):
    memory = SharedMemory(OWNER, notebook(b"x" * shared.RECORD_BYTES), num_buffers=1)
    publish(memory)
    assert client.pull(memory.path, into, expect="worker-0-0") == HEADER
    assert client._courier.heard == []
    memory.close()


def test_gossip_that_makes_no_sense_is_a_protocol_error(memory, client, into, monkeypatch):
    def receive(member, blob):
        raise ProgressError("no counters")

    monkeypatch.setattr(client._courier, "receive", receive)
    publish(memory)
    with pytest.raises(ProtocolError, match="what worker-0-0 tells makes no sense"):
        client.pull(memory.path, into, expect="worker-0-0")


def test_a_target_of_another_size_is_a_mistake_of_the_caller(memory, client):
    with pytest.raises(ValueError, match=f"has 8 bytes, the model {NUM_BYTES}"):
        client.pull(memory.path, memoryview(bytearray(8)), expect="worker-0-0")


def test_a_part_is_read_from_where_it_begins(memory, client):
    publish(memory)
    into = memoryview(bytearray(100))
    assert client.pull(memory.path, into, expect="worker-0-0", start=36) == HEADER
    assert into == CONTENT[36:136]


def test_a_part_that_goes_beyond_the_model_is_a_mistake_of_the_caller(memory, client):
    with pytest.raises(ValueError, match=r"has 8 bytes, the model 4 from byte 12348 on"):
        client.pull(memory.path, memoryview(bytearray(8)), expect="worker-0-0", start=NUM_BYTES - 4)


# Torn and stale snapshots


@pytest.mark.parametrize("overwritten", [1, shared.ATTEMPTS - 1])
def test_a_snapshot_overwritten_while_it_is_copied_is_read_again(
    memory, client, into, monkeypatch, overwritten
):
    publish(memory, b"\0" * NUM_BYTES)
    copyto, copies = shared.np.copyto, []

    def copy(target, source):
        copyto(target, source)
        copies.append(1)
        if len(copies) <= overwritten:
            publish(memory, CONTENT, replace_step(len(copies)))

    monkeypatch.setattr(shared.np, "copyto", copy)
    assert client.pull(memory.path, into, expect="worker-0-0").step == overwritten
    assert bytes(into) == CONTENT


def replace_step(step):
    return SnapshotHeader(step=step, samples=0)


def test_a_snapshot_that_is_overwritten_every_time_is_given_up(memory, client, into, monkeypatch):
    publish(memory)
    monkeypatch.setattr(shared.np, "copyto", lambda target, source: publish(memory))
    with pytest.raises(PeerLost, match=r"each of 8 attempts") as caught:
        client.pull(memory.path, into, expect="worker-0-0")
    assert caught.value.reason == "stalled"


def test_an_owner_that_stopped_in_the_middle_of_its_newest_buffer_is_stalled(memory, client, into):
    publish(memory)
    memory.slots[0].begin()
    with pytest.raises(PeerLost, match="stalled"):
        client.pull(memory.path, into, expect="worker-0-0")


def test_the_snapshot_of_one_that_has_long_published_nothing_is_not_taken(
    memory, client, into, clock
):
    publish(memory)
    clock.passed = 1.9
    client.pull(memory.path, into, expect="worker-0-0")
    clock.passed = 2.1
    with pytest.raises(PeerLost, match=r"worker-0-0 published nothing for 2\.1 s") as caught:
        client.pull(memory.path, into, expect="worker-0-0")
    assert caught.value.reason == "stalled"
    publish(memory)
    assert client.pull(memory.path, into, expect="worker-0-0") == HEADER


def test_the_final_snapshot_never_grows_old(memory, client, into, clock):
    final = SnapshotHeader(step=20, samples=0, finished=True)
    publish(memory, header=final)
    clock.passed = 1000.0
    assert client.pull(memory.path, into, expect="worker-0-0") == final


# Foreign and damaged memory


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"job": "job-2"}, "worker-1-0 belongs to job 'job-2', worker-0-0 to job 'job-1'"),
        ({"digest": "layout-2"}, "trains the model 'layout-2' of .* 'layout-1' of"),
        ({"num_bytes": NUM_BYTES - 64}, f"of {NUM_BYTES - 64} bytes, .* of {NUM_BYTES} bytes"),
        ({"oldest": 2, "newest": 3}, "worker-1-0 speaks protocol versions 2 to 3, worker-0-0 1 to"),
    ],
)
def test_memory_of_another_job_model_or_protocol_is_refused_with_both_named(
    memory, listener, changes, reason
):
    reader = replace(READER, **changes)
    publish(memory)
    with pytest.raises(HandshakeRefused, match=reason):
        SharedClient(reader, listener).pull(
            memory.path, memoryview(bytearray(reader.num_bytes)), expect="worker-0-0"
        )


def test_memory_of_another_member_is_refused_with_both_named(memory, client, into):
    publish(memory)
    with pytest.raises(HandshakeRefused, match="memory of worker-0-0, worker-0-1 was expected"):
        client.pull(memory.path, into, expect="worker-0-1")


def test_a_path_that_comes_again_is_opened_again(memory, client, into, courier):
    publish(memory)
    client.pull(memory.path, into, expect="worker-0-0")
    later = SharedMemory(replace(OWNER, member="worker-0-1"), courier, num_buffers=3)
    publish(later)
    os.dup2(later._fd, memory._fd)
    assert client.pull(memory.path, into, expect="worker-0-1") == HEADER
    later.close()


@pytest.mark.parametrize(
    ("offset", "data", "reason"),
    [
        (0, word(0xBAD), "begins with 0xbad instead of"),
        (16, word(9), "calls buffer 9 its newest and has 3"),
        (8, word(2), "2 buffers of worker-0-0 take"),
        (8, word(2**64 - 1), "buffers of worker-0-0 take"),
        (24, word(5), "header of a Hello is malformed"),
        (24, word(2**64 - 1), "header of a Hello is malformed"),
        (64, b"\xff" * 100, "header of a Hello is malformed"),
        (4096 + 16, word(3), "header of a Reply is malformed"),
        (4096 + 16, word(2**64 - 1), "header of a Reply is malformed"),
        (4096 + 64, b"\xc1" * 100, "header of a Reply is malformed"),
    ],
)
def test_damaged_memory_is_a_protocol_error(memory, client, into, offset, data, reason):
    publish(memory)
    rewrite(memory, offset, data)
    with pytest.raises(ProtocolError, match=reason):
        client.pull(memory.path, into, expect="worker-0-0")


@pytest.mark.parametrize(
    ("size", "seals"),
    [(0, fcntl.F_SEAL_SHRINK), (4095, fcntl.F_SEAL_SHRINK), (1 << 20, 0)],
    ids=["empty", "shorter than its first page", "could shrink while it is read"],
)
def test_memory_of_no_sealed_size_is_refused_before_it_is_mapped(client, into, size, seals):
    fd = os.memfd_create("odd", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    with pytest.raises(ProtocolError, match="with a sealed size"):
        client.pull(f"/proc/self/fd/{fd}", into, expect="worker-0-0")
    os.close(fd)


def test_memory_cut_short_is_refused(client, into):
    fd = os.memfd_create("short", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, 4096)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    hello = msgspec.msgpack.encode(Hello.of(OWNER))
    page = b"".join(word(n) for n in (shared.MAGIC, 3, 1, len(hello))).ljust(64, b"\0") + hello
    os.pwrite(fd, page, 0)
    with pytest.raises(ProtocolError, match="has 4096 bytes, 3 buffers of worker-0-0 take"):
        client.pull(f"/proc/self/fd/{fd}", into, expect="worker-0-0")
    os.close(fd)


def test_what_is_no_memory_at_all_is_refused_without_waiting(client, into, tmp_path):
    (tmp_path / "file").write_bytes(bytes(1 << 20))
    os.mkfifo(tmp_path / "pipe")
    for name in ("file", "pipe"):
        with pytest.raises(ProtocolError, match="must be a memfd"):
            client.pull(str(tmp_path / name), into, expect="worker-0-0")


def test_memory_that_is_gone_is_a_peer_that_is_lost(memory, client, into):
    with pytest.raises(PeerLost, match=r"memory of worker-0-0 cannot be opened") as caught:
        client.pull("/proc/self/fd/99999", into, expect="worker-0-0")
    assert caught.value.reason == "unreachable"


# Keeping memory open


def test_a_pull_after_the_first_opens_nothing(memory, client, into, monkeypatch):
    publish(memory)
    client.pull(memory.path, into, expect="worker-0-0")
    monkeypatch.setattr(os, "open", None)
    assert client.pull(memory.path, into, expect="worker-0-0") == HEADER


def test_the_memory_of_those_that_are_gone_is_let_go_when_a_new_one_comes(courier, client, into):
    old, new = (SharedMemory(OWNER, courier, num_buffers=1) for _ in range(2))
    for memory in (old, new):
        publish(memory)
    client.pull(old.path, into, expect="worker-0-0")
    old.close()
    client.pull(new.path, into, expect="worker-0-0")
    assert list(client._kept) == [new.path]
    new.close()


def test_only_so_many_are_kept_open(courier, listener, into):
    client = SharedClient(READER, listener, limits=Limits(open_connections=2))
    memories = [SharedMemory(OWNER, courier, num_buffers=1) for _ in range(3)]
    for memory in memories:
        publish(memory)
        client.pull(memory.path, into, expect="worker-0-0")
    assert list(client._kept) == [memory.path for memory in memories[1:]]
    for memory in memories:
        memory.close()


# Sharing, or not


def test_after_close_nobody_opens_it_and_those_who_have_read_on(courier, client, into):
    memory = SharedMemory(OWNER, courier, num_buffers=1)
    publish(memory)
    client.pull(memory.path, into, expect="worker-0-0")
    memory.close()
    assert client.pull(memory.path, into, expect="worker-0-0") == HEADER
    with pytest.raises(PeerLost, match="unreachable"):
        SharedClient(READER, courier).pull(memory.path, into, expect="worker-0-0")


def test_where_memory_cannot_hold_it_nothing_is_shared_and_the_log_says_so(courier, caplog):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = memory_descriptors()
    resource.setrlimit(resource.RLIMIT_FSIZE, (NUM_BYTES, hard))
    try:
        assert share_memory(OWNER, courier, num_buffers=3) is None
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "worker-0-0 shares no memory, so its peers pull its model over TCP" in caplog.text
    assert memory_descriptors() <= before


def memory_descriptors():
    """Return the open files in memory of the owner; those of earlier tests may go at any time."""
    found = set()
    for path in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add((path.name, str(path.readlink())))
    return {(name, link) for name, link in found if OWNER.member in link}


def test_a_reader_cannot_write_to_the_owners_memory(memory):
    publish(memory)
    assert memoryview(shared._map(memory.path, "worker-0-0")).readonly


def test_every_vector_begins_on_a_page(memory):
    starts = [shared._VECTOR + 4096 + n * shared._stride(NUM_BYTES) for n in range(3)]
    assert not [start for start in starts if start % mmap.PAGESIZE]
