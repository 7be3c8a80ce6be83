import itertools

import pytest
import torch
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
    first = list(one)
    one.advance(len(first))
    second = list(one)
    assert (sorted(first), first) == (sorted(second), first)
    assert first != second


def test_what_was_asked_for_but_not_handed_out_comes_again():
    one = sampler()
    assert list(one) == list(one)


def test_an_empty_share_is_refused():
    with pytest.raises(DataError, match="share 2 of 3 is empty: there are only 2"):
        sampler(2, examples=2)


def test_the_place_in_another_share_is_refused():
    with pytest.raises(DataError, match="of a share of 20 examples, and this one has 7"):
        sampler().load_state_dict(sampler(0, 1).state_dict())


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
