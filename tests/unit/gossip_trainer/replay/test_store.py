from collections import Counter

import pytest
import torch

from gossip_trainer.algorithms.effects import Answer, Rank, Request, Send, Skip
from gossip_trainer.replay.script import SnapshotKey
from gossip_trainer.replay.store import Store

KEY, OTHER = SnapshotKey("worker-1-0", 5), SnapshotKey("worker-1-0", 6)
VECTOR = torch.ones(3)


@pytest.fixture
def store():
    return Store(Counter({KEY: 2}))


def test_a_snapshot_is_kept_until_its_last_reader_has_taken_it(store):
    assert store.snapshot(KEY) is None
    store.publish(KEY, VECTOR)
    assert [store.snapshot(KEY) is VECTOR for _ in range(3)] == [True, True, False]


def test_a_snapshot_that_nobody_reads_is_not_kept(store):
    store.publish(OTHER, VECTOR)
    assert store.snapshot(OTHER) is None
    assert store.added == 0


@pytest.mark.parametrize("asks", [True, False])
def test_a_message_is_taken_once_with_all_that_its_sender_said(store, asks):
    store.send("worker-1-0", 4, Send(Rank(2), VECTOR, (0.5,), asks=asks), step=9)
    assert store.message("worker-1-0", 3) is None
    assert store.message("worker-2-0", 4) is None
    message = store.message("worker-1-0", 4)
    assert message.vector is VECTOR
    assert (message.step, message.scalars, message.number) == (9, (0.5,), 4)
    assert message.request == (Request("worker-1-0", 4) if asks else None)
    assert store.message("worker-1-0", 4) is None


def test_an_answer_among_other_effects_is_taken_once_by_its_request(store):
    request = Request("worker-1-0", 4)
    store.answer_all([Skip(), Answer(request, VECTOR, (0.5,), step=7)])
    answer = store.answer(request)
    assert (answer.step, answer.scalars) == (7, (0.5,))
    assert store.answer(request) is None


def test_all_that_is_put_in_is_counted(store):
    store.publish(KEY, VECTOR)
    store.send("worker-1-0", 4, Send(Rank(2), VECTOR), step=9)
    store.answer_all([Answer(Request("worker-1-0", number), VECTOR) for number in (1, 2)])
    assert store.added == 4
