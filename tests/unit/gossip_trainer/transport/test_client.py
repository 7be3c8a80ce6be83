"""A client and a server over loopback, seen from the client."""

import socket
import threading
import time
from dataclasses import replace

import pytest

from gossip_trainer.errors import GossipTrainerError
from gossip_trainer.transport.chunks import CHUNK_BYTES, digest
from gossip_trainer.transport.errors import (
    ChecksumMismatch,
    HandshakeRefused,
    NotReady,
    PeerLost,
    ProtocolError,
)
from gossip_trainer.transport.wire import (
    PREFIX_BYTES,
    Hello,
    Kind,
    Reply,
    Wanted,
    Welcome,
    decode,
    encode,
    read_prefix,
)

LARGE_BYTES = 3 * CHUNK_BYTES + 5


def test_a_pull_brings_the_snapshot_and_its_header(world, published, into):
    server = world.serve(published)
    header = world.client().pull(server.address, into, expect="worker-0-0")
    assert into == published.memory
    assert header == published.header
    assert published.released.acquire(timeout=5)


def test_a_full_pull_brings_what_is_offered_beside_the_snapshot_of_whatever_size(world, published):
    state = type(published)(LARGE_BYTES)
    server = world.serve(published, others={Wanted.FULL: state})
    into = memoryview(bytearray(LARGE_BYTES))
    assert world.client().pull(server.address, into, wanted=Wanted.FULL) == state.header
    assert into == state.memory
    assert state.released.acquire(timeout=5)


def test_a_pull_of_the_average_brings_that_and_not_the_model(world, published, into):
    average = type(published)(len(into))
    server = world.serve(published, others={Wanted.AVERAGE: average})
    assert world.client().pull(server.address, into, wanted=Wanted.AVERAGE) == average.header
    assert into == average.memory
    assert average.released.acquire(timeout=5)


def test_a_full_pull_from_one_that_offers_nothing_finds_it_not_ready(world, published, into):
    server = world.serve(published)
    with pytest.raises(NotReady):
        world.client().pull(server.address, into, wanted=Wanted.FULL)


def test_a_status_brings_the_header_alone(world, published):
    server = world.serve(published)
    assert world.client().status(server.address) == published.header
    assert published.released.acquire(timeout=5)


def test_every_exchange_carries_what_both_couriers_say(world, published, notebook, into):
    ours, theirs = notebook(b"from the client"), notebook(b"from the server")
    server = world.serve(published, courier=theirs)
    client = world.client(courier=ours)
    client.pull(server.address, into)
    client.status(server.address)
    assert theirs.heard == [("worker-1-0", b"from the client")] * 2
    assert ours.heard == [("worker-0-0", b"from the server")] * 2


def test_facts_larger_than_one_read_arrive_whole(world, published, notebook, into):
    ours, theirs = notebook(bytes(300_000)), notebook(b"x" * 200_000)
    server = world.serve(published, courier=theirs)
    world.client(courier=ours).pull(server.address, into)
    assert theirs.heard == [("worker-1-0", bytes(300_000))]
    assert ours.heard == [("worker-0-0", b"x" * 200_000)]
    assert into == published.memory


def test_a_peer_without_a_snapshot_is_not_ready_but_still_talks(world, published, notebook, into):
    published.is_published = False
    ours = notebook()
    server = world.serve(published, courier=notebook(b"stop"))
    client = world.client(courier=ours)
    with pytest.raises(NotReady, match="worker-0-0"):
        client.pull(server.address, into)
    assert ours.heard == [("worker-0-0", b"stop")]


def test_pulls_share_one_connection(world, published, into, monkeypatch):
    server = world.serve(published)
    client = world.client()
    client.pull(server.address, into)
    monkeypatch.setattr(socket.socket, "connect", None)
    client.pull(server.address, into)
    assert published.num_pins == 2


def test_a_connection_that_died_while_idle_is_replaced(world, published):
    listener = world.listen()

    def answer_one_request_per_connection():
        for _ in range(2):
            welcome_and_send_status(listener, published)

    thread = threading.Thread(target=answer_one_request_per_connection)
    thread.start()
    client = world.client()
    for _ in range(2):
        assert client.status(listener.getsockname()) == published.header
    thread.join(10)
    assert not thread.is_alive()


def read_message(sock):
    data = sock.recv(PREFIX_BYTES, socket.MSG_WAITALL)
    prefix = read_prefix(memoryview(data), max_header_bytes=1 << 20)
    return prefix.kind, sock.recv(prefix.header_bytes, socket.MSG_WAITALL)


def welcome(listener):
    """Accept one client and welcome it, as a server would."""
    sock, _ = listener.accept()
    kind, data = read_message(sock)
    assert kind is Kind.HELLO
    decode(Hello, memoryview(data))
    sock.sendall(encode(Kind.WELCOME, Welcome(member="worker-0-0", version=1)))
    return sock


def welcome_and_send_status(listener, published):
    with welcome(listener) as sock:
        assert read_message(sock)[0] is Kind.STATUS
        sock.sendall(encode(Kind.STANDING, Reply(snapshot=published.header, gossip=b"")))


def welcome_and_send(listener, *messages):
    with welcome(listener) as sock:
        read_message(sock)
        for message in messages:
            sock.sendall(message)


@pytest.fixture
def impostor(world):
    """A server that welcomes everybody and then sends what the test wants."""
    threads = []

    def start(*messages):
        listener = world.listen()
        thread = threading.Thread(target=welcome_and_send, args=(listener, *messages))
        thread.start()
        threads.append(thread)
        return listener.getsockname()

    yield start
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def test_only_so_many_connections_are_kept(world, published, quick):
    servers = [world.serve(published) for _ in range(3)]
    client = world.client(limits=replace(quick, open_connections=2))
    for server in servers:
        client.status(server.address)
    assert list(client._kept) == [server.address for server in servers[1:]]


@pytest.mark.parametrize(
    ("difference", "both"),
    [
        ({"job": "job-2"}, ("'job-1'", "'job-2'")),
        ({"digest": "layout-2"}, ("'layout-1'", "'layout-2'")),
        ({"oldest": 2, "newest": 3}, ("1 to 1", "2 to 3")),
        ({"num_bytes": 4}, ("2109496 bytes", "4 bytes")),
    ],
)
def test_another_job_model_or_protocol_is_refused_naming_both(
    world, published, into, difference, both
):
    server = world.serve(published, **difference)
    with pytest.raises(HandshakeRefused) as refusal:
        world.client().pull(server.address, into)
    assert all(side in str(refusal.value) for side in (*both, "worker-0-0", "worker-1-0"))
    assert published.num_pins == 0


def test_another_member_at_the_address_is_refused_naming_both(world, published, into):
    server = world.serve(published, member="worker-3-1")
    client = world.client()
    with pytest.raises(HandshakeRefused, match=r"worker-3-1 answers .* worker-3-0 was expected"):
        client.pull(server.address, into, expect="worker-3-0")
    client.pull(server.address, into, expect="worker-3-1")
    with pytest.raises(HandshakeRefused):
        client.pull(server.address, into, expect="worker-3-2")


def test_nobody_listening_is_a_refused_connection(world, into):
    listener = world.listen()
    address = listener.getsockname()
    listener.close()
    with pytest.raises(PeerLost) as loss:
        world.client().pull(address, into)
    assert loss.value.reason == "refused"


def test_a_host_without_address_is_unreachable(world, into):
    with pytest.raises(PeerLost) as loss:
        world.client().pull(("no such host", 1), into)
    assert loss.value.reason == "unreachable"


def test_a_damaged_chunk_is_noticed(world, published, into):
    server = world.serve(published)
    world.client().pull(server.address, into)
    published.content[1_500_000] ^= 1
    with pytest.raises(ChecksumMismatch, match=r"chunk 1 .* step 17"):
        world.client().pull(server.address, into)


def reply(published, **more):
    return encode(Kind.SNAPSHOT, Reply(snapshot=published.header, gossip=b""), **more)


@pytest.mark.parametrize("payload_bytes", [0, 5, 2**63])
def test_a_payload_of_another_size_is_refused_before_it_is_received(
    world, published, into, impostor, payload_bytes
):
    address = impostor(reply(published, payload_bytes=payload_bytes))
    with pytest.raises(ProtocolError, match=f"with {payload_bytes} bytes"):
        world.client().pull(address, into)
    assert into == bytes(into.nbytes)


def test_an_oversized_header_is_refused_before_it_is_received(world, into, impostor):
    message = encode(Kind.SNAPSHOT, Welcome(member="x", version=1))
    address = impostor(message[:8] + b"\xff\xff\xff\xff" + message[12:])
    with pytest.raises(ProtocolError, match="4294967295 bytes is announced"):
        world.client().pull(address, into)


def test_a_message_of_another_protocol_version_is_refused(world, published, into, impostor):
    address = impostor(reply(published, version=2))
    with pytest.raises(ProtocolError, match=r"version 2 came, version 1 was agreed on"):
        world.client().pull(address, into)


def test_a_peer_that_hangs_up_in_mid_transfer_is_lost(world, published, into, impostor):
    chunk = published.memory[:CHUNK_BYTES]
    address = impostor(
        reply(published, payload_bytes=into.nbytes + 24), chunk, digest(chunk), chunk[:1000]
    )
    with pytest.raises(PeerLost) as loss:
        world.client().pull(address, into)
    assert loss.value.reason in {"closed", "reset"}


def test_a_peer_that_goes_silent_is_stalled_at_the_deadline(world, quick, into):
    listener = world.listen()
    client = world.client(limits=replace(quick, handshake_seconds=0.1))
    with pytest.raises(PeerLost) as loss:
        client.pull(listener.getsockname(), into)
    assert loss.value.reason == "stalled"


def test_an_abort_ends_a_pull_at_once(world, into):
    listener = world.listen()
    client = world.client()

    def abort_once_connected():
        sock, _ = listener.accept()
        with sock:
            read_message(sock)
            client.abort()

    thread = threading.Thread(target=abort_once_connected)
    thread.start()
    with pytest.raises(PeerLost) as loss:
        client.pull(listener.getsockname(), into)
    thread.join(10)
    assert loss.value.reason == "aborted"


def test_an_abort_with_nothing_under_way_changes_nothing(world, published, into):
    server = world.serve(published)
    client = world.client()
    client.abort()
    client.pull(server.address, into)
    assert into == published.memory


def test_a_closed_client_pulls_no_more(world, published, into):
    server = world.serve(published)
    client = world.client()
    client.close()
    with pytest.raises(PeerLost) as loss:
        client.pull(server.address, into)
    assert loss.value.reason == "aborted"


def test_a_snapshot_of_another_size_than_is_expected_is_refused(world, published):
    server = world.serve(published)
    with pytest.raises(ProtocolError, match=r"2109520 bytes of payload where SNAPSHOT with 13 is"):
        world.client().pull(server.address, memoryview(bytearray(5)))


def test_a_part_of_the_model_is_pulled_like_a_whole_one(world, published):
    part = type(published)(num_bytes=1000)
    server = world.serve(part)
    into = memoryview(bytearray(1000))
    world.client().pull(server.address, into)
    assert into == part.memory


def test_threads_may_share_a_client_and_an_abort_ends_what_each_does(world):
    listener = world.listen()
    client = world.client()
    losses = []

    def pull():
        with pytest.raises(PeerLost) as loss:
            client.pull(listener.getsockname(), memoryview(bytearray(5)))
        losses.append(loss.value.reason)

    threads = [threading.Thread(target=pull) for _ in range(2)]
    for thread in threads:
        thread.start()
    accepted = [listener.accept()[0] for _ in threads]
    client.abort()
    for thread, sock in zip(threads, accepted, strict=True):
        thread.join(10)
        sock.close()
    assert losses == ["aborted", "aborted"]


def test_of_two_connections_to_one_peer_one_is_kept(world, published, notebook):
    both = threading.Barrier(2, timeout=10)

    class Meeting(notebook):
        def receive(self, member, blob):
            both.wait()

    server = world.serve(published, courier=Meeting())
    client = world.client()
    threads = [threading.Thread(target=client.status, args=(server.address,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(client._kept) == 1
    deadline = time.monotonic() + 10
    while len(server._sessions) > 1:
        assert time.monotonic() < deadline


def test_counters_that_make_no_sense_are_a_protocol_error(world, published, into, notebook):
    class Confused(notebook):
        def receive(self, member, blob):
            raise GossipTrainerError("negative samples")

    server = world.serve(published)
    client = world.client(courier=Confused())

    with pytest.raises(ProtocolError, match=r"worker-.*makes no sense: negative samples"):
        client.pull(server.address, into)
