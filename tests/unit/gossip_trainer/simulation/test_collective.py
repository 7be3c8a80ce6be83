import pytest
import torch

from gossip_trainer.simulation.clock import Clock
from gossip_trainer.simulation.collective import VirtualCollective
from gossip_trainer.simulation.network import Network


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def collective(clock):
    return VirtualCollective(clock, Network(clock, bandwidth=100.0, latency=0.5), size=4)


def test_a_ring_takes_two_passes_over_the_vector_less_one_part_and_its_latencies(collective):
    assert collective.ring_seconds(1000.0) == pytest.approx(2 * 3 / 4 * 1000 / 100 + 2 * 3 * 0.5)


def test_alone_a_worker_waits_for_nothing(clock):
    alone = VirtualCollective(clock, Network(clock, bandwidth=100.0, latency=0.5), size=1)
    assert alone.ring_seconds(1000.0) == 0.0


def test_all_get_the_mean_when_the_last_has_come_and_the_ring_is_done(clock, collective):
    vectors = [torch.full((25,), float(rank)) for rank in range(4)]
    done = []

    def come(rank):
        meeting = collective.begin(vectors[rank], samples=8, stop=rank == 2)

        def finish():
            meeting.write_to_(vectors[rank])
            done.append((clock.now, meeting.agreement))

        meeting.done.wake(finish)

    for rank, seconds in enumerate((1.0, 7.0, 3.0, 2.0)):
        clock.after(seconds, lambda rank=rank: come(rank))
    clock.run_while(lambda: bool(clock._heap))

    assert [moment for moment, _ in done] == [7.0 + collective.ring_seconds(100)] * 4
    assert {(agreed.samples, agreed.stop) for _, agreed in done} == {(32, True)}
    assert all(torch.equal(vector, torch.full((25,), 1.5)) for vector in vectors)


def test_one_meeting_keeps_nothing_for_the_next(clock, collective):
    for value in (1.0, 3.0):
        meetings = [
            collective.begin(torch.full((2,), value), samples=1, stop=False) for _ in range(4)
        ]
    out = torch.zeros(2)
    meetings[0].write_to_(out)
    assert torch.equal(out, torch.full((2,), 3.0))
    assert meetings[0].agreement.samples == 4
