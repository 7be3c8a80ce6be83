"""Bytes with a deadline on progress."""

import socket
import threading

import pytest

from gossip_trainer.transport import stream
from gossip_trainer.transport.errors import PeerLost
from gossip_trainer.transport.limits import Limits
from gossip_trainer.transport.stream import Line, PlainStream, Progress, lost


@pytest.fixture
def pair():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = socket.create_connection(listener.getsockname())
        two, _ = listener.accept()
    with one, two:
        yield one, two


class Clock:
    """A clock that the test sets."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(stream, "time", made)
    return made


def test_enough_bytes_in_every_window_is_progress(clock):
    progress = Progress("peer", Limits(window_seconds=2, min_bytes_per_window=100))
    for now in range(20):
        clock.now = float(now)
        progress.note(50)


def test_too_few_bytes_in_a_window_is_a_stall_that_names_them(clock):
    progress = Progress("peer", Limits(window_seconds=2, min_bytes_per_window=100))
    clock.now = 1.0
    progress.note(60)
    clock.now = 2.0
    progress.note(60)
    clock.now = 4.0
    with pytest.raises(PeerLost, match=r"moved 99 bytes in 2 s, at least 100 .*stalled"):
        progress.note(99)


def test_parts_are_filled_across_many_small_arrivals(pair):
    one, two = pair
    buffers = [memoryview(bytearray(3)), memoryview(bytearray(0)), memoryview(bytearray(4))]

    def drip():
        for letter in b"abcdefg":
            two.sendall(bytes([letter]))

    thread = threading.Thread(target=drip)
    thread.start()
    PlainStream(one, "peer", Limits()).receive(buffers)
    thread.join(10)
    assert [bytes(buffer) for buffer in buffers] == [b"abc", b"", b"defg"]


def test_a_sender_that_drips_is_stalled_at_the_deadline(pair):
    one, two = pair
    limits = Limits(window_seconds=0.05, min_bytes_per_window=100)
    two.sendall(b"x" * 5)
    with pytest.raises(PeerLost) as loss:
        PlainStream(one, "peer", limits).receive([memoryview(bytearray(200))])
    assert loss.value.reason == "stalled"


def test_a_reader_that_stops_is_stalled_at_the_deadline(pair):
    one, _ = pair
    with pytest.raises(PeerLost) as loss:
        PlainStream(one, "peer", Limits(window_seconds=0.05)).send([memoryview(bytes(1 << 26))])
    assert loss.value.reason == "stalled"


def test_a_slow_reader_gets_all_parts(pair):
    one, two = pair
    parts = [memoryview(bytes([number]) * 3_000_000) for number in range(3)]
    sender = threading.Thread(target=PlainStream(one, "peer", Limits()).send, args=(parts,))
    sender.start()
    received = bytearray()
    while len(received) < 9_000_000:
        received += two.recv(1 << 16)
    sender.join(10)
    assert received == b"".join(parts)


def test_a_line_that_is_cut_wakes_its_reader(pair):
    one, _ = pair
    line = Line()
    line.hold(one)
    reading = PlainStream(one, "peer", Limits(window_seconds=20))
    cutter = threading.Timer(0.02, line.cut)
    cutter.start()
    with pytest.raises(PeerLost) as loss:
        reading.receive([memoryview(bytearray(1))])
    cutter.join(10)
    assert loss.value.reason == "closed"


def test_a_line_that_was_cut_before_takes_no_socket(pair):
    one, _ = pair
    line = Line()
    line.cut()
    with pytest.raises(PeerLost) as loss:
        line.hold(one)
    assert loss.value.reason == "aborted"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConnectionRefusedError(), "refused"),
        (ConnectionResetError(), "reset"),
        (BrokenPipeError(), "reset"),
        (TimeoutError(), "stalled"),
        (BlockingIOError(), "stalled"),
        (OSError(113, "No route to host"), "unreachable"),
    ],
)
def test_what_the_system_says_becomes_a_reason(error, reason):
    assert lost("10.0.0.1:7000", error).reason == reason
