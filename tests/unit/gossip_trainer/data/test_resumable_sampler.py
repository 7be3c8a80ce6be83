import itertools

import pytest
import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader, TensorDataset

from gossip_trainer.data.resumable_sampler import ResumableSampler
from gossip_trainer.data.sampler import Share
from gossip_trainer.errors import DataError
from gossip_trainer.process.batch_source import batch_source


def sampler(index=0, count=3, *, examples=20):
    return ResumableSampler(examples, share=Share(index, count), seed=1, stream=index)


def test_shares_are_disjoint_and_cover_all():
    passes = [list(sampler(index)) for index in range(3)]
    assert sorted(itertools.chain(*passes)) == list(range(20))


def test_every_pass_has_an_order_of_its_own():
    one = sampler()
    first, second = list(one), list(one)
    assert (sorted(first), first) == (sorted(second), first)
    assert first != second


def test_what_was_asked_for_but_not_handed_out_comes_again():
    one = sampler()
    one.is_told = True
    assert list(one) == list(one)


def test_an_empty_share_is_refused():
    with pytest.raises(DataError, match="share 2 of 3 is empty: there are only 2"):
        sampler(2, examples=2)


def test_the_place_in_other_data_is_refused():
    with pytest.raises(DataError, match="is of 20 examples, and these are 30"):
        sampler(examples=30).load_state_dict(sampler().state_dict())


def test_with_another_share_of_the_same_data_the_next_pass_begins():
    one, other, fresh = sampler(0, 3), sampler(1, 4), sampler(1, 4)
    one.advance(3)
    other.load_state_dict(one.state_dict())
    list(fresh)
    assert list(other) == list(fresh)


def batches_of(loader, saved=None):
    source = batch_source(loader, saved)
    while True:
        for (batch,) in source:
            yield batch.tolist(), source.state()


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("batches", [1, 2, 3, 5])
def test_a_loader_goes_on_where_the_worker_was(batches, drop_last):
    data = TensorDataset(torch.arange(20))

    def loader():
        return DataLoader(data, batch_size=3, sampler=sampler(), drop_last=drop_last)

    stream = batches_of(loader())
    states = [next(stream)[1] for _ in range(batches)]
    rest = [next(stream)[0] for _ in range(6)]
    resumed = batches_of(loader(), states[-1])
    assert [next(resumed)[0] for _ in range(6)] == rest


def test_a_loader_that_accelerate_has_prepared_goes_on_where_the_worker_was():
    data = TensorDataset(torch.arange(20))

    def loader():
        accelerator = Accelerator(cpu=True)
        return accelerator.prepare(DataLoader(data, batch_size=3, sampler=sampler()))

    stream = batches_of(loader())
    states = [next(stream)[1] for _ in range(2)]
    rest = [next(stream)[0] for _ in range(6)]
    resumed = batches_of(loader(), states[-1])
    assert [next(resumed)[0] for _ in range(6)] == rest


def test_a_loader_with_the_methods_of_a_state_but_none_begins_a_new_pass():
    accelerator = Accelerator(cpu=True)
    loader = accelerator.prepare(DataLoader(TensorDataset(torch.arange(20)), batch_size=3))
    source = batch_source(loader, {"of": "another"})
    assert len(list(source)) == 7
    assert source.state() is None


class Stateful:
    """Hands out 0, 1 and 2, pass after pass."""

    def __init__(self):
        self.place = 0

    def __iter__(self):
        while self.place < 3:
            self.place += 1
            yield (torch.tensor([self.place - 1]),)
        self.place = 0

    def state_dict(self):
        return {"place": self.place}

    def load_state_dict(self, state):
        self.place = state["place"]


@pytest.mark.parametrize("batches", [1, 2, 3, 4])
def test_a_loader_that_keeps_its_own_place_goes_on_there(batches):
    stream = batches_of(Stateful())
    states = [next(stream)[1] for _ in range(batches)]
    resumed = batches_of(Stateful(), states[-1])
    assert [next(resumed)[0] for _ in range(5)] == [next(stream)[0] for _ in range(5)]
