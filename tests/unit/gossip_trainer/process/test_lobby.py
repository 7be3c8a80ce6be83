"""What a worker that meets others shows them."""

import threading

import pytest
import torch

from gossip_trainer.errors import ProgressError
from gossip_trainer.process.lobby import Board, Offer
from gossip_trainer.training.full_state import Counts, decode_counts
from gossip_trainer.training.stance import Ballot, Stage, Stance

BALLOT = Ballot(3, ("worker-0-0", "worker-1-2"), 7, "seven", "worker-1-2", "worker-0-0")
STANCE = Stance(5, 2, Stage.READY, 2, BALLOT, 7, "seven", BALLOT, BALLOT)


class State:
    """A state whose packing waits until it may."""

    def __init__(self):
        self.vector, self.num_packed = torch.arange(4.0), 0
        self.may_pack = threading.Event()
        self.may_pack.set()
        self.is_packing = threading.Event()

    def counts(self):
        return Counts(7, 640, 16, 0.1, 7.0, True, (3, 1))

    def pack(self):
        self.is_packing.set()
        assert self.may_pack.wait(5)
        self.num_packed += 1
        return self.vector.clone()


def test_a_stance_arrives_as_it_was_written_and_is_read_once():
    rung = []
    ours, theirs = Board(lambda: rung.append(1)), Board(lambda: None)
    theirs.write(STANCE)
    ours.receive("worker-1-2", theirs.send())
    assert rung == [1]
    assert ours.read() == {"worker-1-2": STANCE}
    assert ours.read() == {}


def test_of_a_member_that_writes_often_only_the_newest_is_kept():
    ours, theirs = Board(lambda: None), Board(lambda: None)
    for number in range(1000):
        theirs.write(Stance(5, number))
        ours.receive("worker-1-2", theirs.send())
    assert ours.read() == {"worker-1-2": Stance(5, 999)}


@pytest.mark.parametrize("notice", [b"x", b"\x80", b"\x93\x01\x02\xa9elsewhere"])
def test_a_stance_that_makes_no_sense_is_refused_and_its_member_named(notice):
    with pytest.raises(ProgressError, match="worker-1-2"):
        Board(lambda: None).receive("worker-1-2", notice)


def test_a_state_is_offered_only_between_giving_it_and_taking_it_back():
    offer, state = Offer(), State()
    assert offer.pin() is None
    offer.give(state)
    parcel = offer.pin()
    assert bytes(parcel.memory) == state.vector.numpy().tobytes()
    assert (parcel.header.step, decode_counts(parcel.header.extra)) == (7, state.counts())
    offer.take_back()
    assert offer.pin() is None


def test_all_readers_of_one_offer_get_the_same_parcel():
    offer, state = Offer(), State()
    offer.give(state)
    assert offer.pin() is offer.pin()
    assert state.num_packed == 1
    offer.give(state)
    offer.pin()
    assert state.num_packed == 2


def test_a_parcel_stays_as_it_was_when_the_worker_trains_on():
    offer, state = Offer(), State()
    offer.give(state)
    parcel = offer.pin()
    offer.take_back()
    state.vector.zero_()
    assert bytes(parcel.memory) == torch.arange(4.0).numpy().tobytes()


def test_taking_it_back_waits_for_one_that_is_being_packed():
    offer, state = Offer(), State()
    offer.give(state)
    state.may_pack.clear()
    reader = threading.Thread(target=offer.pin, daemon=True)
    reader.start()
    assert state.is_packing.wait(5)
    taker = threading.Thread(target=offer.take_back, daemon=True)
    taker.start()
    taker.join(0.1)
    assert taker.is_alive()
    state.may_pack.set()
    taker.join(5)
    assert not taker.is_alive()
    reader.join(5)
