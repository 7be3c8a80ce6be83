"""Messages between a client and a server over loopback."""

import threading
from dataclasses import replace

import pytest

from gossip_trainer.errors import GossipTrainerError
from gossip_trainer.transport.chunks import framed_bytes
from gossip_trainer.transport.errors import HandshakeRefused, PeerLost, Unsettled
from gossip_trainer.transport.mailbox import Mailbox
from gossip_trainer.transport.verdicts import Answered, Declined, Pending, Taken
from gossip_trainer.transport.wire import (
    Acknowledged,
    Hello,
    Keeping,
    Kind,
    MessageHeader,
    MessageId,
    Refusal,
    Sending,
    Settling,
    encode,
)

SECONDS = 10.0
NOTHING = memoryview(bytearray())


def header(number=1, *, asks=False, scalars=(0.5,)):
    return MessageHeader(MessageId(100, number), asks, 17, scalars)


@pytest.fixture
def news():
    return threading.Semaphore(0)


@pytest.fixture
def mailbox(world, news):
    return Mailbox(world.num_bytes, capacity=2, on_news=news.release)


@pytest.fixture
def send(world, mailbox):
    """Send from one client to one server with a mailbox."""
    server = world.serve(None, mailbox=mailbox)
    client = world.client()

    def send(payload, into=NOTHING, **said):
        return client.send(server.address, header(**said), payload, into, expect="worker-0-0")

    send.server, send.client = server, client
    return send


@pytest.fixture
def owner(mailbox, news):
    """Answers, in a thread, every message with its own bytes and what it counts."""
    done = threading.Event()

    def own():
        while news.acquire(timeout=SECONDS) and not done.is_set():
            delivery = mailbox.collect()
            content = memoryview(bytes(delivery.memory))
            mailbox.release(delivery)
            if delivery.asks:
                scalars = (2 * delivery.scalars[0],)
                mailbox.answer(delivery.sender, delivery.ticket, content, step=99, scalars=scalars)

    thread = threading.Thread(target=own)
    thread.start()
    yield
    done.set()
    news.release()
    thread.join(SECONDS)


def test_a_message_is_taken_with_all_that_goes_with_it(send, mailbox, published):
    assert send(published.memory) == Taken()
    delivery = mailbox.collect()
    assert delivery.memory == published.memory
    assert (delivery.sender, delivery.number) == ("worker-1-0", 1)
    assert (delivery.step, delivery.scalars, delivery.asks) == (17, (0.5,), False)


def test_a_message_that_comes_in_one_piece_with_its_header_is_taken(world, news, published):
    small = Mailbox(5, capacity=1, on_news=news.release)
    server = world.serve(published, mailbox=small)
    client = world.client()
    verdict = client.send(
        server.address, header(), memoryview(b"small"), NOTHING, expect="worker-0-0"
    )
    assert verdict == Taken()
    assert small.collect().memory == b"small"


def test_an_empty_message_is_taken(send, mailbox):
    assert send(NOTHING) == Taken()
    assert not mailbox.collect().memory


def test_an_answer_comes_back_and_need_not_be_kept_any_more(send, mailbox, owner, published, into):
    assert send(published.memory, into, asks=True) == Answered(99, (1.0,), into.nbytes)
    assert into == published.memory
    send(NOTHING, number=2)  # the connection has gone on to the next message: KEPT was heard
    state = mailbox._correspondence.settle("worker-1-0", MessageId(100, 1))
    assert state == Declined(Refusal.OUTDATED)


def test_an_answer_is_dropped_as_soon_as_it_has_arrived(send, mailbox, owner, published, into):
    dropped = threading.Event()
    kept = mailbox.kept

    def note(sender, message):
        kept(sender, message)
        dropped.set()

    mailbox.kept = note
    send(published.memory, into, asks=True)
    assert dropped.wait(SECONDS)
    settled = send.client.settle(send.server.address, MessageId(100, 1), into, expect="worker-0-0")
    assert settled == Taken()


def test_an_empty_answer_leaves_the_receivers_memory_alone(send, owner, into):
    assert send(NOTHING, into, asks=True) == Answered(99, (1.0,), 0)
    assert into == bytes(into.nbytes)


def test_many_messages_share_one_connection(send, owner, published, into, monkeypatch):
    send(NOTHING)
    monkeypatch.setattr("socket.socket.connect", None)
    for number in range(2, 8):
        assert isinstance(send(published.memory, into, asks=True, number=number), Answered)
        into[:] = bytes(into.nbytes)


def test_an_owner_that_does_not_answer_leaves_it_pending(world, mailbox, published, into, quick):
    limits = replace(quick, window_seconds=0.2)
    server = world.serve(published, mailbox=mailbox, limits=limits)
    client, where = world.client(), {"expect": "worker-0-0"}
    asking = header(asks=True)
    assert client.send(server.address, asking, published.memory, into, **where) == Pending()
    assert client.settle(server.address, asking.id, into, **where) == Pending()
    ticket = mailbox.collect().ticket
    mailbox.answer("worker-1-0", ticket, published.memory)
    answered = client.settle(server.address, asking.id, into, **where)
    assert answered == Answered(0, (), into.nbytes)
    assert into == published.memory


def test_what_never_came_is_declined_and_so_is_its_late_copy(send, mailbox, published, into):
    message = MessageId(100, 1)
    verdict = send.client.settle(send.server.address, message, into, expect="worker-0-0")
    assert verdict == Declined(Refusal.MISSED)
    assert send(published.memory) == Declined(Refusal.MISSED)
    assert mailbox.collect() is None
    assert send(published.memory, number=2) == Taken()


def test_a_repeat_is_taken_once(send, mailbox, published):
    assert send(published.memory) == Taken()
    assert send(published.memory) == Taken()
    assert mailbox.collect() is not None
    assert mailbox.collect() is None


def test_a_process_without_mailbox_declines_but_goes_on_talking(world, published, into):
    server, client = world.serve(published), world.client()
    for payload in (published.memory, NOTHING):
        verdict = client.send(server.address, header(), payload, into, expect="worker-0-0")
        assert verdict == Declined(Refusal.UNWELCOME)
    verdict = client.settle(server.address, header().id, into, expect="worker-0-0")
    assert verdict == Declined(Refusal.UNWELCOME)
    client.pull(server.address, into)
    assert into == published.memory


def test_a_full_mailbox_declines_but_the_connection_goes_on(world, mailbox, published, quick, into):
    limits = replace(quick, window_seconds=0.4)
    server, client = world.serve(published, mailbox=mailbox, limits=limits), world.client()
    verdicts = [
        client.send(server.address, header(number), published.memory, into, expect="worker-0-0")
        for number in range(1, 4)
    ]
    assert verdicts == [Taken(), Taken(), Declined(Refusal.FULL)]
    client.pull(server.address, into)
    assert into == published.memory


def test_a_closed_mailbox_says_that_the_owner_has_finished(send, mailbox, published):
    mailbox.close()
    assert send(published.memory) == Declined(Refusal.FINISHED)


def test_messages_carry_what_both_couriers_say(world, mailbox, published, notebook, into):
    ours, theirs = notebook(b"from the client"), notebook(b"from the server")
    server = world.serve(published, courier=theirs, mailbox=mailbox)
    client = world.client(courier=ours)
    client.send(server.address, header(), published.memory, into, expect="worker-0-0")
    client.settle(server.address, header().id, into, expect="worker-0-0")
    assert theirs.heard == [("worker-1-0", b"from the client")] * 2
    assert ours.heard == [("worker-0-0", b"from the server")] * 2


def test_nobody_listening_has_not_taken_it(world, published, into):
    listener = world.listen()
    address = listener.getsockname()
    listener.close()
    client = world.client()
    with pytest.raises(PeerLost) as loss:
        client.send(address, header(), published.memory, into, expect="worker-0-0")
    assert loss.value.reason == "refused"
    with pytest.raises(Unsettled, match=r"not known what became .* nobody listens"):
        client.settle(address, header().id, into, expect="worker-0-0")


def test_another_member_at_the_address_has_not_taken_it(send, mailbox, published, into):
    client = send.client
    with pytest.raises(HandshakeRefused, match="worker-0-1 was expected"):
        client.send(send.server.address, header(), published.memory, into, expect="worker-0-1")
    assert mailbox.collect() is None


def test_an_idle_connection_that_the_server_has_closed_is_not_used(
    world, mailbox, published, quick, into
):
    server = world.serve(published, mailbox=mailbox, limits=replace(quick, idle_seconds=0.05))
    client = world.client()
    client.status(server.address)
    (kept,) = client._kept.values()
    while kept.line.is_quiet():
        pass
    verdict = client.send(server.address, header(), NOTHING, into, expect="worker-0-0")
    assert verdict == Taken()


# What a receiver makes of a sender that fails


def connect(world, server):
    sock = world.connect(server)
    sock.sendall(encode(Kind.HELLO, Hello.of(world.identity("worker-9-0"))))
    sock.recv(1 << 16)
    return sock


def hang_up_comes(sock):
    try:
        while sock.recv(1 << 16):
            pass
    except ConnectionResetError:
        pass
    return True


def sending(world, payload_bytes, **said):
    message = Sending(header(**said), gossip=b"")
    return encode(Kind.SEND, message, payload_bytes=payload_bytes)


def test_a_message_that_breaks_off_is_declined(world, mailbox, published, into):
    server = world.serve(published, mailbox=mailbox)
    sock = connect(world, server)
    whole = framed_bytes(world.num_bytes, digests=True)
    sock.sendall(sending(world, whole) + bytes(5000))
    sock.close()
    client = world.client(member="worker-9-0")
    verdict = client.settle(server.address, header().id, into, expect="worker-0-0")
    assert verdict == Declined(Refusal.MISSED)
    assert mailbox.collect() is None


def test_a_damaged_message_is_not_taken(world, mailbox, published, into):
    server = world.serve(published, mailbox=mailbox)
    sock = connect(world, server)
    whole = framed_bytes(world.num_bytes, digests=True)
    sock.sendall(sending(world, whole) + bytes(whole))
    assert hang_up_comes(sock)
    assert mailbox.collect() is None
    for number in range(1, 3):  # its memory is free again
        client = world.client()
        verdict = client.send(
            server.address, header(number), published.memory, into, expect="worker-0-0"
        )
        assert verdict == Taken()


@pytest.mark.parametrize(
    "nonsense",
    [
        (2**63, b""),
        (1, b"x"),
        (0, b"x"),
        (framed_bytes(5, digests=True), bytes(13)),
    ],
    ids=["huge", "one byte", "more than announced", "another size"],
)
@pytest.mark.parametrize("takes_messages", [True, False])
def test_a_message_of_another_size_ends_the_connection(
    world, mailbox, published, nonsense, takes_messages
):
    num_bytes, payload = nonsense
    server = world.serve(published, mailbox=mailbox if takes_messages else None)
    sock = connect(world, server)
    sock.sendall(sending(world, num_bytes) + payload)
    if takes_messages or num_bytes in {0, 2**63}:
        assert hang_up_comes(sock)
    else:
        assert b"unwelcome" in sock.recv(1 << 16)
    assert mailbox.collect() is None
    assert not mailbox._buffers


@pytest.mark.parametrize(
    "message",
    [
        encode(Kind.KEPT, Keeping(MessageId(1, 1))),
        encode(Kind.TAKEN, Acknowledged(gossip=b"")),
        encode(Kind.SETTLE, Settling(MessageId(1, 1), gossip=b""), payload_bytes=3) + b"123",
        encode(Kind.SEND, Acknowledged(gossip=b"")),
    ],
    ids=["kept of nothing", "taken", "settle with payload", "no message"],
)
def test_a_member_that_speaks_out_of_turn_is_cut_off(world, mailbox, published, message):
    server = world.serve(published, mailbox=mailbox)
    sock = connect(world, server)
    sock.sendall(message)
    assert hang_up_comes(sock)


@pytest.mark.parametrize(
    "instead_of_kept",
    [
        encode(Kind.KEPT, Keeping(MessageId(100, 2))),
        encode(Kind.SETTLE, Settling(MessageId(100, 1), gossip=b"")),
        b"",
    ],
    ids=["of another", "something else", "nothing"],
)
def test_an_answer_without_receipt_is_kept(
    world, mailbox, owner, published, quick, into, instead_of_kept
):
    server = world.serve(published, mailbox=mailbox, limits=replace(quick, window_seconds=0.3))
    sock = connect(world, server)
    sock.sendall(sending(world, 0, asks=True) + b"")
    assert sock.recv(1 << 16)
    sock.sendall(instead_of_kept)
    assert hang_up_comes(sock)
    client = world.client(member="worker-9-0")
    verdict = client.settle(server.address, header().id, into, expect="worker-0-0")
    assert verdict == Answered(99, (1.0,), 0)


def test_a_sender_whose_facts_make_no_sense_is_not_heard(world, mailbox, published, notebook):
    class Strict(notebook):
        def receive(self, member, blob):
            raise GossipTrainerError(f"{member} talks nonsense")

    server = world.serve(published, courier=Strict(), mailbox=mailbox)
    with pytest.raises(Unsettled):
        world.client().send(server.address, header(), NOTHING, NOTHING, expect="worker-0-0")
    assert mailbox.collect() is None


def test_only_members_may_send(world, mailbox, published):
    server = world.serve(published, mailbox=mailbox)
    client = world.client(member="somebody")
    with pytest.raises(Unsettled):
        client.send(server.address, header(), NOTHING, NOTHING, expect="worker-0-0")
    assert mailbox.collect() is None
