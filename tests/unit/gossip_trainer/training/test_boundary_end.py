"""How a worker ends: what it takes in, waits for and publishes last."""

import pytest
import torch
from lone_worker import Stream, build_worker, members

from gossip_api.topology import Topology
from gossip_trainer.algorithms.base import Algorithm
from gossip_trainer.algorithms.effects import Send, Shard
from gossip_trainer.algorithms.pairwise import Pairwise
from gossip_trainer.algorithms.push_sum import PushSum
from gossip_trainer.algorithms.selection import PeerSelection
from gossip_trainer.errors import RunError
from gossip_trainer.training import boundary as module


def test_the_final_model_is_published_as_finished():
    worker = build_worker()
    worker.step(gradient=1.0)
    worker.exchange.arrive(worker.filled(1.0))
    worker.finish()
    header, vector = worker.published()
    assert (header.step, header.samples, header.finished, header.loss) == (1, 8, True, None)
    assert torch.equal(vector, worker.x)


def test_what_lay_in_the_letter_box_is_taken_in_and_newcomers_are_declined():
    told = []

    class Spy(Algorithm):
        def on_message(self, sender, message, x):
            told.append((sender, worker.letters.closed))
            return ()

        def on_finish(self, x):
            told.append(("finish", worker.letters.closed))
            return ()

    worker = build_worker(Spy, roster=[members(0, 1, 2)])
    worker.letters.put("worker-1-0", worker.filled(1.0))

    def publish(x, header, publish=worker.snapshots.publish):
        told.append(("published", worker.letters.closed))
        return publish(x, header)

    worker.snapshots.publish = publish
    worker.finish()
    assert told == [(1, False), ("finish", False), ("published", True)]


def test_what_came_between_the_farewell_and_the_closing_is_in_the_final_model():
    worker = build_worker(lambda rank, view: PushSum(rank, view, None, Stream()))
    close = worker.letters.close

    def close_late():
        worker.letters.put("worker-1-0", worker.filled(3.0), scalars=(1.0,))
        close()

    worker.letters.close = close_late
    before = worker.x.clone()
    worker.finish()
    header, vector = worker.published()
    torch.testing.assert_close(vector, (before + 3.0) / 2)
    assert header.weight == 2.0


def asked():
    """Return a worker that has asked another's algorithm and trains on."""
    worker = build_worker(pairwise)
    worker.step()
    return worker


def pairwise(rank, view):
    return Pairwise(rank, view, PeerSelection(Topology(), "UniformOthers", seed=1), Stream())


def test_the_own_last_message_is_waited_for_and_its_answer_taken_in():
    worker, waited = asked(), []
    before = worker.x.clone()

    def at_wait(seconds):
        waited.append(seconds)
        worker.clock.advance(1.0)
        if len(waited) == 3:
            worker.exchange.arrive(worker.filled(3.0))

    worker.at_wait = at_wait
    worker.finish()
    assert waited == [5.0, 4.0, 3.0]
    torch.testing.assert_close(worker.published()[1], before - 3.0)


def test_even_a_message_that_was_put_aside_is_waited_for_in_the_end():
    worker = asked()
    before = worker.x.clone()
    worker.exchange.put_aside()
    worker.at_wait = lambda _: worker.exchange.arrive(worker.filled(3.0))
    worker.finish()
    torch.testing.assert_close(worker.published()[1], before - 3.0)


def test_a_message_that_does_not_end_is_given_up_in_the_end():
    worker = asked()
    worker.at_wait = worker.clock.advance
    began = worker.clock.now
    worker.finish()
    assert worker.clock.now == began + module.SETTLE_SECONDS
    assert worker.published()[0].finished


def test_others_are_answered_while_the_own_last_message_is_waited_for():
    worker = asked()
    worker.letters.close = lambda: worker.letters.put("worker-1-0", worker.filled(1.0), asks=True)
    worker.at_wait = lambda _: pytest.fail("waited") if worker.letters.answers == [] else finish()

    def finish():
        worker.exchange.arrive(worker.filled(0.0))

    worker.finish()
    assert len(worker.letters.answers) == 1


def test_a_fetch_is_not_waited_for_in_the_end():
    worker = build_worker()
    worker.step()
    assert worker.exchange.busy
    worker.finish()
    assert worker.published()[0].finished


def test_a_farewell_is_sent_before_the_final_model_is_published():
    class Polite(Algorithm):
        def on_finish(self, x):
            return (Send(Shard(0), x.live.new_empty(0), patient=True),)

    worker = build_worker(Polite, roster=[members(0, 1, servers=1)])
    seen = []

    def at_wait(_seconds):
        seen.append((worker.sends()[0].to, worker.snapshots.pin()))
        worker.exchange.arrive()

    worker.at_wait = at_wait
    worker.finish()
    assert seen == [(Shard(0), None)]
    assert worker.published()[0].finished


def test_a_final_model_that_readers_leave_no_buffer_for_is_an_error_in_the_end():
    worker = build_worker(Algorithm)
    for _ in range(3):
        worker.step()
        worker.snapshots.pin()
    worker.at_wait = lambda _: worker.clock.advance(10.0)
    with pytest.raises(RunError, match="worker-0-0: no buffer for the final model"):
        worker.finish()


def test_a_buffer_that_comes_free_in_time_takes_the_final_model():
    worker = build_worker(Algorithm)
    pins = []
    for _ in range(3):
        worker.step()
        pins.append(worker.snapshots.pin())
    worker.at_wait = lambda _: pins[0].release()
    worker.finish()
    assert worker.published()[0].finished
