"""What a sender makes of a receiver that fails."""

import threading
from dataclasses import replace

import pytest

from gossip_trainer.transport.chunks import digest, framed_bytes
from gossip_trainer.transport.errors import PeerLost, Unsettled
from gossip_trainer.transport.verdicts import Answered
from gossip_trainer.transport.wire import (
    Acknowledged,
    AnswerHeader,
    Answering,
    Hello,
    Keeping,
    Kind,
    MessageHeader,
    MessageId,
    Sending,
    encode,
)
from gossip_trainer.transport.wire import Welcome as WelcomeHeader

SECONDS = 10.0
NOTHING = memoryview(bytearray())


def header(*, asks=False):
    return MessageHeader(MessageId(100, 1), asks, 17, (0.5,))


WELCOME = encode(Kind.WELCOME, WelcomeHeader(member="worker-0-0", version=1))
TAKEN = encode(Kind.TAKEN, Acknowledged(gossip=b""))


def answer(payload_bytes):
    return encode(Kind.ANSWER, Answering(AnswerHeader(), gossip=b""), payload_bytes=payload_bytes)


def receive_all(sock, num_bytes):
    left = num_bytes
    while left and (got := len(sock.recv(min(left, 1 << 20)))):
        left -= got


@pytest.fixture
def impostor(world):
    """A server that welcomes everybody, receives some bytes and then sends what the test wants."""
    threads = []

    def start(num_bytes, said):
        listener = world.listen()

        def act():
            sock, _ = listener.accept()
            with sock:
                sock.recv(len(encode(Kind.HELLO, Hello.of(world.identity("worker-1-0")))))
                sock.sendall(WELCOME)
                receive_all(sock, num_bytes)
                sock.sendall(said)

        threads.append(threading.Thread(target=act))
        threads[-1].start()
        return listener.getsockname()

    yield start
    for thread in threads:
        thread.join(SECONDS)
        assert not thread.is_alive()


def size_of_message(num_bytes):
    sending = Sending(header(asks=True), gossip=b"")
    return len(encode(Kind.SEND, sending)) + framed_bytes(num_bytes, digests=True)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        TAKEN[:10],
        TAKEN[:-1],
        b"HTTP/1.1 200 OK" + bytes(10),
        encode(Kind.TAKEN, Acknowledged(gossip=b""), payload_bytes=4),
        encode(Kind.KEPT, Keeping(MessageId(1, 1))),
        answer(7),
        answer(2**63),
        answer(12) + b"1234",
        answer(12) + b"1234" + bytes(8),
    ],
    ids=range(10),
)
def test_a_receiver_that_fails_after_the_last_byte_leaves_it_unsettled(world, impostor, said):
    address = impostor(size_of_message(4), said)
    with pytest.raises(Unsettled) as doubt:
        world.client().send(
            address,
            header(asks=True),
            memoryview(b"1234"),
            memoryview(bytearray(4)),
            expect="worker-0-0",
        )
    assert not doubt.value.stalled


def test_a_receiver_that_hangs_up_before_the_last_byte_has_not_taken_it(world, impostor):
    payload = memoryview(bytearray(64 << 20))
    address = impostor(1000, b"")
    with pytest.raises(PeerLost) as loss:
        world.client().send(address, header(), payload, NOTHING, expect="worker-0-0")
    assert loss.value.reason in {"reset", "closed"}


def test_a_receiver_that_falls_silent_is_stalled(world, quick):
    listener = world.listen()

    def welcome_only():
        sock, _ = listener.accept()
        with sock:
            sock.recv(1 << 16)
            sock.sendall(WELCOME)
            while sock.recv(1 << 16):
                pass

    thread = threading.Thread(target=welcome_only)
    thread.start()
    client = world.client(limits=replace(quick, window_seconds=0.1))
    with pytest.raises(Unsettled) as doubt:
        client.send(listener.getsockname(), header(), NOTHING, NOTHING, expect="worker-0-0")
    thread.join(SECONDS)
    assert doubt.value.stalled


def test_an_answer_that_has_arrived_counts_even_if_the_line_breaks_behind_it(world, impostor):
    content = b"1234"
    said = answer(12) + content + digest(memoryview(content))
    address = impostor(size_of_message(4), said)
    client, into = world.client(), memoryview(bytearray(4))
    verdict = client.send(
        address, header(asks=True), memoryview(content), into, expect="worker-0-0"
    )
    assert verdict == Answered(0, (), 4)
    assert into == content
