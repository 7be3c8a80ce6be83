"""Whatever bytes a peer sends, it gets no further than a typed error within the deadline."""

import contextlib
import socket
import threading
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossip_trainer.transport.chunks import ChunkDigests
from gossip_trainer.transport.client import PeerClient
from gossip_trainer.transport.errors import ProtocolError, TransportError, Unsettled
from gossip_trainer.transport.identity import Identity
from gossip_trainer.transport.limits import Limits
from gossip_trainer.transport.mailbox import Mailbox
from gossip_trainer.transport.server import PeerServer
from gossip_trainer.transport.wire import (
    MAX_HEADER_BYTES,
    PREFIX_BYTES,
    Acknowledged,
    AnswerHeader,
    Answering,
    Crowded,
    Declining,
    Hello,
    Keeping,
    Kind,
    MessageHeader,
    MessageId,
    Refused,
    Reply,
    Request,
    Sending,
    Settling,
    SnapshotHeader,
    Unready,
    Welcome,
    decode,
    encode,
    read_prefix,
)

NUM_BYTES = 1000
HEADER = SnapshotHeader(step=1, samples=32, loss=0.5)
LIMITS = Limits(connect_seconds=5, handshake_seconds=0.5, window_seconds=0.5, idle_seconds=0.5)
HELLO = encode(Kind.HELLO, Hello.of(Identity("job", "worker-1-0", "layout", NUM_BYTES)))
WELCOME = encode(Kind.WELCOME, Welcome(member="worker-0-0", version=1))
REQUEST = encode(Kind.PULL, Request(gossip=b"facts"))
REPLY = encode(Kind.SNAPSHOT, Reply(snapshot=HEADER, gossip=b"facts"), payload_bytes=NUM_BYTES + 8)
MESSAGE = MessageHeader(MessageId(1, 1), True, 3, (0.5,))
SEND = encode(Kind.SEND, Sending(MESSAGE, b"facts"), payload_bytes=NUM_BYTES + 8)
SETTLE = encode(Kind.SETTLE, Settling(MESSAGE.id, b"facts"))
KEPT = encode(Kind.KEPT, Keeping(MESSAGE.id))
ANSWER = encode(
    Kind.ANSWER, Answering(AnswerHeader(1, (0.5,)), b"facts"), payload_bytes=NUM_BYTES + 8
)
HEADERS = [
    *(Hello, Welcome, Refused, Crowded, Request, Reply, Unready),
    *(Sending, Settling, Keeping, Acknowledged, Answering, Declining),
]


class Published:
    """A snapshot of zeros."""

    header = HEADER
    memory = memoryview(bytes(NUM_BYTES))

    def __init__(self):
        self.digests = ChunkDigests(NUM_BYTES)

    def pin(self):
        return self

    def release(self):
        pass


class Silent:
    """A courier that says nothing."""

    def send(self):
        return b""

    def receive(self, member, blob):
        assert isinstance(blob, bytes)


def client(limits=LIMITS):
    return PeerClient(Identity("job", "worker-1-0", "layout", NUM_BYTES), Silent(), limits=limits)


def ignore():
    """Take no notice of news."""


@pytest.fixture(scope="module")
def mailbox():
    return Mailbox(NUM_BYTES, capacity=2, on_news=ignore)


@pytest.fixture(scope="module")
def server(mailbox):
    made = PeerServer(
        socket.create_server(("127.0.0.1", 0)),
        Identity("job", "worker-0-0", "layout", NUM_BYTES),
        Published(),
        Silent(),
        mailbox=mailbox,
        limits=LIMITS,
    )
    made.start()
    yield made
    made.close()


@st.composite
def damaged(draw, message):
    """A message that is cut short, or has some of its bytes overwritten or repeated."""
    data = bytearray(message)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data) - 1))
        data[at : at + draw(st.integers(0, 4))] = draw(st.binary(max_size=4)) or b"\xff"
    return bytes(data[: draw(st.integers(0, len(data)))])


def anything(*messages):
    return st.one_of(st.binary(max_size=200), *map(damaged, messages))


@given(st.binary(min_size=PREFIX_BYTES, max_size=PREFIX_BYTES))
def test_any_prefix_is_read_or_refused(data):
    for candidate in (data, b"GSSP\x00\x01\x00" + data[7:]):
        try:
            prefix = read_prefix(memoryview(candidate), max_header_bytes=MAX_HEADER_BYTES)
        except ProtocolError:
            continue
        assert prefix.header_bytes <= MAX_HEADER_BYTES


@given(
    st.sampled_from(HEADERS),
    anything(HELLO[PREFIX_BYTES:], REPLY[PREFIX_BYTES:], SEND[PREFIX_BYTES:], b"\x91" * 2000),
)
def test_any_header_is_read_or_refused(header, data):
    with contextlib.suppress(ProtocolError):
        assert isinstance(decode(header, memoryview(data)), header)


@settings(max_examples=60, deadline=None)
@given(
    st.booleans(), anything(HELLO, HELLO + REQUEST, REQUEST, SEND, SEND + bytes(99), SETTLE, KEPT)
)
def test_no_bytes_break_a_server(server, is_member, data):
    with socket.create_connection(server.address, timeout=10) as sock:
        if is_member:
            sock.sendall(HELLO)
            sock.recv(1 << 16)
        try:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(1 << 16):
                pass
        except (ConnectionResetError, BrokenPipeError):
            pass  # the server had heard enough
    # The one that asks in earnest has time: what is short is the server's patience with the other.
    visitor = client(Limits())
    assert visitor.status(server.address) == HEADER
    visitor.close()


@settings(max_examples=60, deadline=None)
@given(st.booleans(), anything(WELCOME, WELCOME + REPLY, REPLY))
def test_no_bytes_break_a_client(is_welcome, data):
    def answer(listener):
        sock, _ = listener.accept()
        with sock:
            sock.recv(1 << 16)
            try:
                sock.sendall(WELCOME if is_welcome else data)
                if is_welcome and sock.recv(1 << 16):
                    sock.sendall(data)
            except (ConnectionResetError, BrokenPipeError):
                pass  # the client had heard enough

    into = memoryview(bytearray(NUM_BYTES))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        visitor = client()
        with pytest.raises(TransportError):
            visitor.pull(listener.getsockname(), into)
        visitor.close()
        thread.join(10)
    assert not thread.is_alive()


@settings(max_examples=60, deadline=None)
@given(anything(WELCOME + ANSWER, ANSWER + bytes(NUM_BYTES + 8), ANSWER, KEPT))
def test_no_bytes_make_a_sender_believe_that_its_message_was_not_taken(data):
    def answer(listener):
        sock, _ = listener.accept()
        with sock:
            sock.recv(1 << 16)
            try:
                sock.sendall(WELCOME)
                if sock.recv(1 << 16):
                    sock.sendall(data)
            except (ConnectionResetError, BrokenPipeError):
                pass  # the client had heard enough

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        sender, into = client(), memoryview(bytearray(NUM_BYTES))
        address = listener.getsockname()
        with pytest.raises(Unsettled):
            sender.send(address, MESSAGE, memoryview(b""), into, expect="worker-0-0")
        sender.close()
        thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize("head", [SEND[:12], ANSWER[:12], SETTLE[:12]])
def test_announced_payloads_allocate_nothing(server, mailbox, head):
    header_bytes = int.from_bytes(head[8:12], "big")
    lie = head + (2**63).to_bytes(8, "big") + SEND[PREFIX_BYTES : PREFIX_BYTES + header_bytes]
    tracemalloc.start()
    try:
        with socket.create_connection(server.address, timeout=10) as sock:
            sock.sendall(HELLO)
            sock.recv(1 << 16)
            sock.sendall(lie + bytes(max(0, header_bytes - len(SEND) + PREFIX_BYTES)))
            assert hang_up_comes(sock)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20
    assert mailbox.collect() is None


def hang_up_comes(sock):
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("announced", [MAX_HEADER_BYTES + 1, 2**32 - 1])
def test_announced_lengths_allocate_nothing(server, announced):
    lie = REQUEST[:8] + announced.to_bytes(4, "big") + (2**63).to_bytes(8, "big")
    tracemalloc.start()
    try:
        with socket.create_connection(server.address, timeout=10) as sock:
            sock.sendall(HELLO)
            sock.recv(1 << 16)
            sock.sendall(lie)
            assert sock.recv(1) == b""
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20
