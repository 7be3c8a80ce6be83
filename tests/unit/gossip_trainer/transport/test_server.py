"""A server under peers that behave, dawdle, lie or crowd it."""

import socket
import threading
from dataclasses import replace

import pytest

from gossip_trainer.errors import GossipTrainerError
from gossip_trainer.transport import chunks
from gossip_trainer.transport.errors import Busy, PeerLost
from gossip_trainer.transport.wire import Hello, Kind, Request, encode


def hello(world, **changes):
    return encode(Kind.HELLO, Hello.of(world.identity("worker-9-0", **changes)))


def pull_request():
    return encode(Kind.PULL, Request(gossip=b""))


def hang_up_comes(sock):
    """Whether the server hangs up, whatever it says before."""
    try:
        while sock.recv(1 << 16):
            pass
    except ConnectionResetError:
        pass
    return True


def serving_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("serve ")]


def test_two_clients_pull_at_once_and_each_digest_is_computed_once(
    world, published, into, monkeypatch
):
    computed = []

    def count(chunk):
        computed.append(len(chunk))
        return chunks.xxh3_64_digest(chunk)

    monkeypatch.setattr(chunks, "digest", count)
    server = world.serve(published)
    world.client().pull(server.address, into)
    targets = [memoryview(bytearray(into.nbytes)) for _ in range(2)]
    pulls = [
        threading.Thread(target=world.client().pull, args=(server.address, target))
        for target in targets
    ]
    for pull in pulls:
        pull.start()
    for pull in pulls:
        pull.join(20)
    assert targets == [published.memory] * 2
    assert computed == [len(chunk) for chunk in chunks.cut(published.memory)]


def test_a_reader_that_stops_loses_the_pin_at_the_deadline(world, published, quick, into):
    server = world.serve(published, limits=replace(quick, window_seconds=0.2))
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(server.address)
        sock.sendall(hello(world))
        sock.recv(1 << 16)
        for _ in range(40):  # a member that asks on and on and never reads
            sock.sendall(pull_request())
            if not published.released.acquire(timeout=0.1):
                break
        assert published.released.acquire(timeout=10)
    world.client().pull(server.address, into)
    assert into == published.memory


@pytest.mark.parametrize(
    "nonsense",
    [
        b"GET / HTTP/1.1\r\nHost: worker\r\n\r\n",
        b"\x16\x03\x01" + bytes(60),
        encode(Kind.PULL, Request(gossip=b"")),
        encode(Kind.HELLO, Request(gossip=b"")),
        encode(Kind.HELLO, Request(gossip=bytes(5000))),
    ],
    ids=["http", "tls", "no hello", "no fields", "oversized"],
)
def test_a_stranger_that_speaks_nonsense_is_cut_off(world, published, nonsense):
    server = world.serve(published)
    sock = world.connect(server)
    sock.sendall(nonsense)
    assert hang_up_comes(sock)
    assert published.num_pins == 0


@pytest.mark.parametrize(
    "nonsense",
    [pull_request() * 2, encode(Kind.BUSY, Request(gossip=b"")), b"x" * 40],
    ids=["two at once", "no request", "no message"],
)
def test_a_member_that_speaks_nonsense_is_cut_off(world, published, nonsense):
    server = world.serve(published)
    sock = world.connect(server)
    sock.sendall(hello(world))
    sock.recv(1 << 16)
    sock.sendall(nonsense)
    assert hang_up_comes(sock)


def test_facts_that_the_courier_rejects_end_the_connection(world, published, notebook, into):
    class Strict(notebook):
        def receive(self, member, blob):
            raise GossipTrainerError(f"{member} talks nonsense")

    server = world.serve(published, courier=Strict())
    with pytest.raises(PeerLost):
        world.client().pull(server.address, into)
    assert published.num_pins == 0


@pytest.mark.parametrize("said", [b"", b"GS", "half a hello"])
def test_a_handshake_that_dawdles_is_cut_off(world, published, quick, said):
    limits = replace(quick, handshake_seconds=0.05, window_seconds=0.05)
    server = world.serve(published, limits=limits)
    sock = world.connect(server)
    sock.sendall(said if isinstance(said, bytes) else hello(world)[:40])
    assert hang_up_comes(sock)


def test_a_connection_that_asks_nothing_is_closed(world, published, quick):
    server = world.serve(published, limits=replace(quick, idle_seconds=0.05))
    sock = world.connect(server)
    sock.sendall(hello(world))
    assert hang_up_comes(sock)


def test_the_longest_silent_connection_makes_room_for_a_newcomer(world, published, quick, into):
    server = world.serve(published, limits=replace(quick, max_connections=2))
    silent = [world.connect(server) for _ in range(5)]
    world.client().pull(server.address, into)
    assert into == published.memory
    assert all(hang_up_comes(sock) for sock in silent[:4])


def test_a_server_with_nobody_silent_is_busy(world, published, notebook, quick, into):
    inside, leave = threading.Semaphore(0), threading.Event()

    class Slow(notebook):
        def receive(self, member, blob):
            inside.release()
            assert leave.wait(20)

    server = world.serve(published, courier=Slow(), limits=replace(quick, max_connections=1))
    first = threading.Thread(target=world.client().pull, args=(server.address, into))
    first.start()
    assert inside.acquire(timeout=10)
    with pytest.raises(Busy, match="serves 1 others"):
        world.client().status(server.address)
    leave.set()
    first.join(20)
    assert into == published.memory


def test_a_closed_server_leaves_neither_thread_nor_connection(world, published, into):
    server = world.serve(published)
    world.client().pull(server.address, into)
    sock = world.connect(server)
    server.close()
    assert hang_up_comes(sock)
    assert serving_threads() == []


def test_a_closing_server_lets_the_answer_under_way_end(world, published, notebook, into):
    inside, leave = threading.Semaphore(0), threading.Event()

    class Slow(notebook):
        def receive(self, member, blob):
            inside.release()
            assert leave.wait(20)

    server = world.serve(published, courier=Slow())
    pull = threading.Thread(target=world.client().pull, args=(server.address, into))
    pull.start()
    assert inside.acquire(timeout=10)
    closing = threading.Thread(target=server.close, args=(20.0,))
    closing.start()
    leave.set()
    pull.join(20)
    closing.join(20)
    assert into == published.memory


def test_a_server_survives_a_system_that_gives_no_threads(world, published, into, monkeypatch):
    server = world.serve(published)
    start, refusals = threading.Thread.start, [RuntimeError("can't start new thread")]

    def start_if_allowed(thread):
        if refusals and thread.name.startswith("serve "):
            raise refusals.pop()
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_if_allowed)
    with pytest.raises(PeerLost):
        world.client().pull(server.address, into)
    world.client().pull(server.address, into)
    assert into == published.memory


def test_it_tells_how_many_bytes_of_snapshots_it_has_sent(world, published, into):
    server = world.serve(published)
    client = world.client()

    client.pull(server.address, into)
    client.pull(server.address, into)
    client.status(server.address)
    client.close()

    assert server.sent_bytes == 2 * into.nbytes
