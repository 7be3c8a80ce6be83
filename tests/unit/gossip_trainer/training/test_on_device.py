"""The exchange and the letters of a model on a device whose copies end late."""

import threading
from contextlib import closing
from dataclasses import replace
from queue import SimpleQueue

import pytest
import torch
from late_copies import SECONDS, LateCopies, await_copies
from lone_worker import FakeExchange, FakeLetters, members

from gossip_trainer.algorithms.effects import Answer, Fetch, Rank, Request, Send
from gossip_trainer.replica.device import HostLink, SideLink
from gossip_trainer.training.exchange import Dispatch, Exchange
from gossip_trainer.training.on_device import (
    ExchangeOnDevice,
    LettersOnDevice,
    exchange_over,
    letters_over,
)
from gossip_trainer.transport.mailbox import Mailbox
from gossip_trainer.transport.verdicts import Answered
from gossip_trainer.transport.wire import MessageHeader, MessageId, SnapshotHeader

PEER = members(1).workers()[1]


@pytest.fixture
def copies():
    return LateCopies()


@pytest.fixture
def link(copies):
    with closing(SideLink(copies)) as link:
        yield link
        copies.gate.set()


class Receiver:
    """An exchange of host memory, and a thread in which what it brings arrives."""

    def __init__(self, link):
        self.news = SimpleQueue()
        self.host = FakeExchange()
        self.exchange = ExchangeOnDevice(self._make, link, lambda: self.news.put(None))
        self._link = link

    def _make(self, on_news):
        self.tell = on_news
        return self.host

    def begin_fetch(self):
        """Begin one, of which nothing has come yet."""
        self.exchange.begin([dispatch(Fetch(Rank(1)))])
        await_copies(self._link)

    def tell_in_a_thread(self):
        thread = threading.Thread(target=self.tell)
        thread.start()
        return thread


@pytest.fixture
def receiver(link):
    return Receiver(link)


def dispatch(effect):
    return Dispatch(effect, number=1, step=3, peer=PEER)


def test_what_a_fetch_brought_is_on_the_device_when_it_is_collected(receiver, copies):
    received = torch.full((4,), 2.0)
    receiver.begin_fetch()
    receiver.host.arrive(received, step=7)
    receiver.tell()
    receiver.news.get(timeout=SECONDS)
    received.fill_(9.0)  # the buffer is used again
    outcome = receiver.exchange.collect()
    assert copies.log.count("in") == 1
    assert outcome.message.step == 7
    assert torch.equal(outcome.message.vector, torch.full((4,), 2.0))
    assert not receiver.exchange.busy


def test_a_boundary_before_that_finds_the_exchange_busy_and_goes_on(receiver, copies):
    copies.gate.clear()
    receiver.begin_fetch()
    receiver.host.arrive(torch.ones(4))
    thread = receiver.tell_in_a_thread()
    assert receiver.exchange.collect() is None
    assert receiver.exchange.busy
    copies.gate.set()
    receiver.news.get(timeout=SECONDS)
    thread.join(SECONDS)
    assert receiver.exchange.collect() is not None
    assert not receiver.exchange.busy


def test_an_exchange_is_busy_until_its_outcome_was_collected(receiver):
    receiver.begin_fetch()
    receiver.host.arrive(torch.ones(4))
    receiver.tell()
    assert receiver.exchange.busy
    receiver.exchange.collect()
    assert not receiver.exchange.busy


def test_what_is_sent_leaves_when_it_has_come_to_the_host(receiver, copies, link):
    copies.gate.clear()
    send = Send(Rank(1), torch.ones(4), scalars=(0.5,), asks=True)
    receiver.exchange.begin([dispatch(send)])
    assert receiver.exchange.busy
    assert not receiver.host.begun
    copies.gate.set()
    await_copies(link)
    (begun,) = receiver.host.begun
    assert begun.effect.vector.data_ptr() != send.vector.data_ptr()
    assert torch.equal(begun.effect.vector, send.vector)
    assert (begun.effect.scalars, begun.effect.asks) == (send.scalars, send.asks)


def test_the_outcome_of_a_send_is_told_of_the_effect_that_was_asked_for(receiver, link):
    send, fetch = Send(Rank(1), torch.ones(4)), Fetch(Rank(1))
    receiver.exchange.begin([dispatch(send), dispatch(fetch)])
    await_copies(link)
    receiver.host.lose(index=0)
    receiver.host.lose(index=1)
    receiver.tell()
    assert receiver.exchange.collect().effect is send
    assert receiver.exchange.collect().effect is fetch
    assert receiver.exchange.collect() is None


def test_a_send_that_was_put_aside_keeps_nothing_busy_and_is_told_of_later(receiver, link):
    send = Send(Rank(1), torch.ones(4))
    receiver.exchange.begin([dispatch(send)])
    await_copies(link)
    receiver.host.put_aside()
    receiver.tell()
    assert not receiver.exchange.busy
    receiver.host.arrive()
    receiver.tell()
    assert receiver.exchange.collect().effect is send


class Client:
    """Answers a fetch with ones and a message with twos."""

    def __init__(self):
        self.sent = []

    def pull(self, address, into, *, expect, excerpt):
        into[:] = torch.ones(len(into) // 4).numpy().tobytes()
        return SnapshotHeader(step=7, samples=3)

    def send(self, address, header, payload, into, *, expect):
        self.sent.append(bytes(payload))
        into[:] = torch.full((len(into) // 4,), 2.0).numpy().tobytes()
        return Answered(5, (), len(into))

    def abort(self):
        pass


def next_outcome(exchange, news):
    while (outcome := exchange.collect()) is None:
        assert news.wait(SECONDS), "there was no news"
        news.clear()
    return outcome


@pytest.mark.parametrize(
    ("effect", "value"), [(Fetch(Rank(1)), 1.0), (Send(Rank(1), torch.ones(4), asks=True), 2.0)]
)
def test_the_exchange_of_a_worker_works_over_it(link, effect, value):
    news, client = threading.Event(), Client()
    over = exchange_over(
        link,
        lambda on_news: Exchange(
            client, link.host_vector(4, torch.float32), locate={}.get, started=1, on_news=on_news
        ),
        news.set,
    )
    with closing(over):
        for _ in range(3):
            over.begin([dispatch(effect)])
            outcome = next_outcome(over, news)
            assert outcome.effect is effect
            assert torch.equal(outcome.message.vector, torch.full((4,), value))
            assert not over.busy


class SharedReader:
    """Finds ones in the memory that every peer shares."""

    def pull(self, path, into, *, expect, start):
        into[:] = torch.ones(len(into) // 4).numpy().tobytes()
        return SnapshotHeader(step=7, samples=3)


def test_what_was_read_from_shared_memory_comes_to_the_device_in_another_thread(copies, link):
    news = threading.Event()
    over = exchange_over(
        link,
        lambda on_news: Exchange(
            Client(),
            link.host_vector(4, torch.float32),
            locate={}.get,
            started=1,
            on_news=on_news,
            shared=SharedReader(),
        ),
        news.set,
    )
    with closing(over):
        copies.gate.clear()
        over.begin([replace(dispatch(Fetch(Rank(1))), peer=replace(PEER, memory="/proc/1/fd/3"))])
        assert over.collect() is None
        assert over.busy
        copies.gate.set()
        assert torch.equal(next_outcome(over, news).message.vector, torch.ones(4))
        assert not over.busy


@pytest.fixture
def letters(link):
    host, news = FakeLetters(), SimpleQueue()
    return LettersOnDevice(host, link, lambda: news.put(None)), host, news


def test_a_letter_is_on_the_device_before_the_boundary_hears_of_it(letters, copies):
    on_device, host, news = letters
    copies.gate.clear()
    host.put("worker-1-0", torch.ones(4), step=5)
    thread = threading.Thread(target=on_device.arrived)
    thread.start()
    assert on_device.collect() is None
    copies.gate.set()
    news.get(timeout=SECONDS)
    thread.join(SECONDS)
    letter = on_device.collect()
    assert (letter.sender, letter.message.step) == ("worker-1-0", 5)
    assert torch.equal(letter.message.vector, torch.ones(4))


def test_letters_keep_their_order(letters):
    on_device, host, _ = letters
    for step in range(5):
        host.put("worker-1-0", torch.ones(4), step=step)
    on_device.arrived()
    assert [on_device.collect().message.step for _ in range(5)] == [0, 1, 2, 3, 4]


def test_a_letter_holds_its_place_in_host_memory_until_it_is_released(letters):
    on_device, host, _ = letters
    sent = torch.ones(4)
    host.put("worker-1-0", sent)
    in_host_memory = host.come[0].message.vector
    on_device.arrived()
    letter = on_device.collect()
    assert torch.equal(in_host_memory, sent)
    on_device.release(letter)
    assert in_host_memory.isnan().all()
    assert torch.equal(letter.message.vector, sent)


def test_an_answer_leaves_when_it_has_come_to_the_host(letters, copies, link):
    on_device, host, _ = letters
    copies.gate.clear()
    answer = Answer(Request("worker-1-0", 4), torch.ones(4), (0.5,), step=2)
    on_device.answer(answer)
    assert not host.answers
    copies.gate.set()
    await_copies(link)
    (given,) = host.answers
    assert given.vector.data_ptr() != answer.vector.data_ptr()
    assert (given.request, given.scalars, given.step) == (answer.request, (0.5,), 2)
    assert torch.equal(given.vector, torch.ones(4))


def test_a_message_in_the_mailbox_is_on_the_device_before_anybody_hears_of_it(copies, link):
    heard = []
    mailbox, letters = letters_over(
        link,
        lambda on_news: Mailbox(16, capacity=1, on_news=on_news),
        torch.float32,
        lambda: heard.append(list(copies.log)),
    )
    deposit(mailbox)
    assert heard == [["in"]]
    letter = letters.collect()
    assert torch.equal(letter.message.vector, torch.ones(4))
    letters.release(letter)
    deposit(mailbox, number=2)  # for which there is room again
    assert letters.collect() is not None


def test_in_host_memory_nothing_stands_between_a_boundary_and_what_carries_messages():
    news, host = [], FakeExchange()
    assert exchange_over(HostLink(), lambda _on_news: host, lambda: None) is host
    mailbox, letters = letters_over(
        HostLink(),
        lambda on_news: Mailbox(16, capacity=1, on_news=on_news),
        torch.float32,
        lambda: news.append("a letter"),
    )
    deposit(mailbox)
    assert news == ["a letter"]
    assert torch.equal(letters.collect().message.vector, torch.ones(4))


def deposit(mailbox, number=1):
    content = torch.ones(4).numpy().tobytes()
    header = MessageHeader(MessageId(100, number), asks=False, step=5, scalars=())
    arrival = mailbox.begin("worker-1-0", header, len(content), 0.0)
    arrival.memory[:] = content
    mailbox.complete(arrival)
