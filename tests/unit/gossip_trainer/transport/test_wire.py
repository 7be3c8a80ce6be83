"""Messages in bytes, and everything that is no message."""

import pytest

from gossip_trainer.transport.errors import ProtocolError
from gossip_trainer.transport.identity import Identity
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
    Prefix,
    Refusal,
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

MESSAGE = MessageId(started=1, number=2, attempt=3)
MESSAGES = [
    (Kind.HELLO, Hello.of(Identity("job", "worker-0-0", "layout", 4))),
    (Kind.WELCOME, Welcome(member="worker-0-0", version=1)),
    (Kind.REFUSED, Refused(reason="another job")),
    (Kind.BUSY, Crowded(connections=8)),
    (Kind.PULL, Request(gossip=b"\x00\xff")),
    (Kind.PULL_FULL, Request(gossip=b"")),
    (Kind.PULL_AVERAGE, Request(gossip=b"")),
    (Kind.STATUS, Request(gossip=b"")),
    (Kind.SNAPSHOT, Reply(snapshot=SnapshotHeader(step=1, samples=2, loss=None), gossip=b"")),
    (Kind.STANDING, Reply(snapshot=SnapshotHeader(1, 2, 0.5, True, 0.25, b"x"), gossip=b"g")),
    (Kind.NOT_READY, Unready(gossip=b"")),
    (Kind.SEND, Sending(MessageHeader(MESSAGE, True, 4, (0.5, -1.0)), gossip=b"g")),
    (Kind.SETTLE, Settling(MESSAGE, gossip=b"g")),
    (Kind.TAKEN, Acknowledged(gossip=b"g")),
    (Kind.ANSWER, Answering(AnswerHeader(5, (0.5,)), gossip=b"g")),
    (Kind.PENDING, Acknowledged(gossip=b"")),
    (Kind.DECLINED, Declining(Refusal.FULL, gossip=b"")),
    (Kind.KEPT, Keeping(MESSAGE)),
]
ID_BYTES = b"\x83\xa7started\x01\xa6number\x02\xa7attempt\x03"
GOLDEN = {
    Kind.SEND: b"\x82\xa7message\x84\xa2id" + ID_BYTES + b"\xa4asks\xc3\xa4step\x04\xa7scalars"
    b"\x92\xcb?\xe0\0\0\0\0\0\0\xcb\xbf\xf0\0\0\0\0\0\0\xa6gossip\xc4\x01g",
    Kind.SETTLE: b"\x82\xa2id" + ID_BYTES + b"\xa6gossip\xc4\x01g",
    Kind.TAKEN: b"\x81\xa6gossip\xc4\x01g",
    Kind.ANSWER: b"\x82\xa6answer\x82\xa4step\x05\xa7scalars\x91\xcb?\xe0\0\0\0\0\0\0"
    b"\xa6gossip\xc4\x01g",
    Kind.PENDING: b"\x81\xa6gossip\xc4\0",
    Kind.DECLINED: b"\x82\xa6reason\xa4full\xa6gossip\xc4\0",
    Kind.KEPT: b"\x81\xa2id" + ID_BYTES,
}


def prefix_of(data):
    return read_prefix(memoryview(data), max_header_bytes=MAX_HEADER_BYTES)


@pytest.mark.parametrize(("kind", "header"), MESSAGES, ids=lambda value: str(value)[:20])
def test_every_message_survives_the_wire(kind, header):
    data = encode(kind, header, payload_bytes=5)
    prefix = prefix_of(data)
    assert prefix == Prefix(1, kind, len(data) - PREFIX_BYTES, 5)
    assert decode(type(header), memoryview(data)[PREFIX_BYTES:]) == header


@pytest.mark.parametrize("kind", GOLDEN)
def test_messages_look_as_in_every_other_release(kind):
    body = GOLDEN[kind]
    head = b"GSSP\0\x01\0" + bytes([kind]) + bytes(3) + bytes([len(body)]) + bytes(7) + b"\x05"
    assert encode(kind, dict(MESSAGES)[kind], payload_bytes=5) == head + body


def test_later_messages_are_greater():
    assert MessageId(1, 9, 9) < MessageId(2, 1) < MessageId(2, 1, 1) < MessageId(2, 2)


def test_every_kind_is_covered_here():
    assert {kind for kind, _ in MESSAGES} == set(Kind)


def test_an_identity_survives_its_introduction():
    identity = Identity("job", "worker-0-0", "layout", 4, oldest=1, newest=3)
    assert Hello.of(identity).identity() == identity


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"HTTP" + bytes(16), "begins with b'HTTP'.*speaks something else"),
        (b"\x15\x03\x03\x00" + bytes(16), "the peer uses TLS and this side does not"),
        (b"GSSP\x00\x01\x00\x63" + bytes(12), "unknown kind 99"),
        (b"GSSP\x00\x01\x00\x05\x00\x40\x00\x01" + bytes(8), "4194305 bytes .* at most 4194304"),
    ],
)
def test_a_prefix_that_is_none_is_refused(data, text):
    with pytest.raises(ProtocolError, match=text):
        prefix_of(data)


@pytest.mark.parametrize(
    ("header", "text"),
    [
        (Refused(reason="two\nlines"), "reason"),
        (Welcome(member="worker 0", version=1), "member"),
        (Welcome(member="w" * 254, version=1), "member"),
        (Welcome(member="worker-0-0\n", version=1), "member"),
        (Crowded(connections=-1), "connections"),
        (Sending(MessageHeader(MessageId(1, -1), True), b""), "number"),
        (Sending(MessageHeader(MESSAGE, True, scalars=(0.0,) * 65), b""), "scalars"),
        (Answering(AnswerHeader(0, (0.0,) * 65), b""), "scalars"),
        (Declining("because", b""), "reason"),
    ],
)
def test_a_field_that_would_spoil_logs_or_sums_is_refused(header, text):
    data = memoryview(encode(Kind.REFUSED, header))[PREFIX_BYTES:]
    with pytest.raises(ProtocolError, match=text):
        decode(type(header), data)


def test_text_that_is_not_utf_8_is_refused():
    with pytest.raises(ProtocolError, match="Refused is malformed"):
        decode(Refused, memoryview(b"\x81\xa6reason\xa1\x80"))


def test_a_courier_that_says_too_much_is_stopped_at_home():
    with pytest.raises(ValueError, match="the courier sends too much"):
        encode(Kind.PULL, Request(gossip=bytes(MAX_HEADER_BYTES)))
