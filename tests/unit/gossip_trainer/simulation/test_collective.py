import pytest
import torch

from gossip_trainer.simulation.clock import Clock
from gossip_trainer.simulation.collective import Hall, VirtualCollective
from gossip_trainer.simulation.network import Network
from gossip_trainer.training.ending import Wishes


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make_hall(clock):
    def make(size=4, duplex="Full"):
        return Hall(clock, Network(clock, bandwidth=100.0, latency=0.5, duplex=duplex), size)

    return make


def let_happen(clock):
    clock.run_while(lambda: bool(clock._heap))


def test_a_ring_takes_two_passes_over_the_vector_less_one_part_and_its_latencies(make_hall):
    assert make_hall().ring_seconds(1000.0) == pytest.approx(2 * 3 / 4 * 1000 / 100 + 2 * 3 * 0.5)


def test_over_half_duplex_links_it_takes_twice_as_long_for_what_it_sends_and_receives(make_hall):
    assert make_hall(duplex="Half").ring_seconds(1000.0) == pytest.approx(
        2 * (2 * 3 / 4 * 1000 / 100) + 2 * 3 * 0.5
    )


def test_alone_a_worker_waits_for_nothing(make_hall):
    assert make_hall(size=1).ring_seconds(1000.0) == 0.0


def test_all_get_the_mean_when_the_last_has_come_and_the_ring_is_done(clock, make_hall):
    hall = make_hall()
    vectors = [torch.full((25,), float(rank)) for rank in range(4)]
    done = []

    def come(rank):
        def finish():
            assert collective.is_ready()
            done.append((clock.now, collective.finish()))

        collective = VirtualCollective(hall, on_news=finish)
        collective.begin(
            vectors[rank], samples=8, wishes=Wishes(stop=rank == 2, leave=False, save=False)
        )
        assert not collective.is_ready()

    for rank, seconds in enumerate((1.0, 7.0, 3.0, 2.0)):
        clock.after(seconds, lambda rank=rank: come(rank))
    let_happen(clock)

    assert [moment for moment, _ in done] == [7.0 + hall.ring_seconds(100)] * 4
    assert {(agreed.samples, agreed.stop) for _, agreed in done} == {(32, True)}
    assert all(torch.equal(vector, torch.full((25,), 1.5)) for vector in vectors)


def test_a_vector_stays_as_it_is_until_its_worker_finishes(clock, make_hall):
    collectives = [VirtualCollective(make_hall(1), on_news=lambda: None) for _ in range(2)]
    vector = torch.ones(2)
    for collective in collectives:
        collective.begin(vector, samples=1, wishes=Wishes(stop=False, leave=False, save=False))
    let_happen(clock)
    assert torch.equal(vector, torch.ones(2))


def test_one_meeting_keeps_nothing_for_the_next(clock, make_hall):
    hall = make_hall()
    collectives = [VirtualCollective(hall, on_news=lambda: None) for _ in range(4)]
    for value, stop in ((1.0, True), (3.0, False)):
        vectors = [torch.full((2,), value) for _ in collectives]
        for collective, vector in zip(collectives, vectors, strict=True):
            collective.begin(vector, samples=1, wishes=Wishes(stop=stop, leave=False, save=False))
        let_happen(clock)
        agreements = {collective.finish() for collective in collectives}
        assert {(agreed.samples, agreed.stop) for agreed in agreements} == {(4, stop)}
        assert all(torch.equal(vector, torch.full((2,), value)) for vector in vectors)


def test_what_a_worker_receives_is_what_the_ring_brings(make_hall):
    collective = VirtualCollective(make_hall(), on_news=lambda: None)
    assert collective.size == 4
    assert collective.received_bytes(1000) == 1500
