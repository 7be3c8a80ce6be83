import random

import pytest
import torch
from torch import nn

from gossip_api.names import Role
from gossip_trainer.evaluation.census import CensusTaker, Reading, Standing
from gossip_trainer.membership.roster import Endpoint
from gossip_trainer.replica.layout import layout_of
from gossip_trainer.transport.errors import NotReady, PeerLost
from gossip_trainer.transport.wire import SnapshotHeader, Wanted

LAYOUT = layout_of(nn.Linear(3, 2))


class Client:
    """Worker r's model is all r, its moving average r + 0.5; some are lost, some not ready."""

    def __init__(self, lost=(), unready=(), weights=None, without_average=()):
        self.lost, self.unready, self.weights = lost, unready, weights or {}
        self.without_average = without_average
        self.pulled = []

    def status(self, address, *, expect):
        rank = address[1]
        if rank in self.lost:
            raise PeerLost("unreachable", f"{expect} is away")
        if rank in self.unready:
            raise NotReady(expect)
        return SnapshotHeader(step=10 * rank, samples=rank, weight=self.weights.get(rank, 1.0))

    def pull(self, address, into, *, expect, wanted=Wanted.MODEL):
        self.pulled.append(expect)
        header = self.status(address, expect=expect)
        if wanted is Wanted.AVERAGE and address[1] in self.without_average:
            raise PeerLost("reset", f"{expect} is gone")
        value = address[1] + (0.5 if wanted is Wanted.AVERAGE else 0.0)
        into[:] = torch.full((LAYOUT.size,), value).numpy().tobytes()
        return header


def worker(rank):
    return Endpoint(Role.WORKER, rank, 0, "10.0.0.1", rank)


@pytest.fixture
def take():
    def take(client, ranks, sample=100, seed=1):
        taker = CensusTaker(client, LAYOUT, random.Random(seed))
        seen = []
        census = taker.take(
            [worker(rank) for rank in ranks],
            sample,
            lambda reading, vector: seen.append((reading, float(vector.mean()))),
        )
        out = torch.empty(LAYOUT.size)
        taker.mean.write_to_(out)
        return census, seen, out

    return take


def test_the_mean_is_over_everybody_who_could_be_read(take):
    census, seen, mean = take(Client(lost={2}), [1, 2, 3, 5])
    assert [reading.member for reading in census.readings] == [
        "worker-1-0",
        "worker-3-0",
        "worker-5-0",
    ]
    assert census.missed == ("worker-2-0",)
    assert torch.equal(mean, torch.full((LAYOUT.size,), 3.0))
    assert [value for _, value in seen] == [1.0, 3.0, 5.0]
    assert seen[0][0] == Reading("worker-1-0", SnapshotHeader(step=10, samples=1))


def test_models_count_by_the_weights_that_were_published_with_them(take):
    census, _, mean = take(Client(weights={1: 0.25, 5: 1.75}), [1, 5])
    torch.testing.assert_close(mean, torch.full((LAYOUT.size,), (0.25 * 1 + 1.75 * 5) / 2.0))
    assert [reading.header.weight for reading in census.readings] == [0.25, 1.75]


def test_one_that_publishes_nothing_yet_is_neither_read_nor_missed(take):
    census, _, mean = take(Client(unready={1}), [1, 4])
    assert [reading.member for reading in census.readings] == ["worker-4-0"]
    assert census.missed == ()
    assert torch.equal(mean, torch.full((LAYOUT.size,), 4.0))


def test_moving_averages_have_a_mean_of_their_own_over_the_same_workers_and_weights():
    client = Client(weights={1: 0.25, 5: 1.75}, without_average={3})
    taker = CensusTaker(client, LAYOUT, random.Random(1), averages=True)
    census = taker.take([worker(rank) for rank in (1, 3, 5)], 9, lambda reading, vector: None)
    assert [reading.member for reading in census.readings] == ["worker-1-0", "worker-5-0"]
    assert census.missed == ("worker-3-0",)
    models, averages = torch.empty(LAYOUT.size), torch.empty(LAYOUT.size)
    taker.mean.write_to_(models)
    taker.average.write_to_(averages)
    torch.testing.assert_close(models, torch.full((LAYOUT.size,), 4.5))
    torch.testing.assert_close(averages, torch.full((LAYOUT.size,), 5.0))


def test_without_moving_averages_the_jobs_model_is_the_mean_of_the_models():
    taker = CensusTaker(Client(), LAYOUT, random.Random(1))
    assert taker.average is taker.mean


def test_of_more_workers_than_the_sample_a_random_reproducible_part_is_read(take):
    drawn = []
    for seed in (1, 1, 2):
        client = Client()
        census, _, _ = take(client, range(40), sample=10, seed=seed)
        assert len(census.readings) == len(set(client.pulled)) == 10
        drawn.append(client.pulled)
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_census_forgets_the_one_before():
    taker = CensusTaker(Client(), LAYOUT, random.Random(1))
    for rank in (9, 2):
        taker.take([worker(rank)], 1, lambda reading, vector: None)
    out = torch.empty(LAYOUT.size)
    taker.mean.write_to_(out)
    assert torch.equal(out, torch.full((LAYOUT.size,), 2.0))


def test_a_census_of_nobody_has_no_readings(take):
    census, seen, _ = take(Client(lost={1}), [1])
    assert (census.readings, seen) == ((), [])


def test_asked_how_they_stand_the_silent_ones_are_left_out():
    taker = CensusTaker(Client(lost={1}, unready={2}), LAYOUT, random.Random(1))
    assert taker.ask([worker(rank) for rank in (1, 2, 3)]) == {
        "worker-2-0": Standing(None),
        "worker-3-0": Standing(SnapshotHeader(step=30, samples=3)),
    }
