import pytest

from gossip_trainer.simulation.clock import Clock
from gossip_trainer.simulation.network import Network

M, B, LATENCY = 1000.0, 100.0, 0.5


class Traffic:
    """Sends over one network and notes when what arrived or was lost."""

    def __init__(self, latency=LATENCY):
        self.clock = Clock()
        self.network = Network(self.clock, bandwidth=B, latency=latency)
        self.arrived, self.lost = {}, {}

    def send(self, name, sender, receiver, num_bytes=M, at=0.0):
        def begin():
            self.network.send(
                sender,
                receiver,
                num_bytes,
                arrived=lambda: self.arrived.update({name: self.clock.now}),
                lost=lambda: self.lost.update({name: self.clock.now}),
            )

        self.clock.after(at, begin)

    def run(self):
        self.clock.run_while(lambda: bool(self.clock._heap))
        return self.arrived


@pytest.fixture
def traffic():
    return Traffic()


def test_a_transfer_alone_takes_its_bytes_over_the_bandwidth_and_one_latency(traffic):
    traffic.send("x", "a", "b")
    assert traffic.run() == {"x": pytest.approx(M / B + LATENCY)}


@pytest.mark.parametrize(
    ("first", "second"),
    [(("a", "c"), ("b", "c")), (("c", "a"), ("c", "b"))],
    ids=["into one receiver", "out of one sender"],
)
def test_two_transfers_that_share_a_link_take_twice_as_long(traffic, first, second):
    traffic.send("x", *first)
    traffic.send("y", *second)
    both = pytest.approx(2 * M / B + LATENCY)
    assert traffic.run() == {"x": both, "y": both}


def test_transfers_that_share_no_link_do_not_disturb_each_other(traffic):
    traffic.send("x", "a", "b")
    traffic.send("y", "c", "d")
    alone = pytest.approx(M / B + LATENCY)
    assert traffic.run() == {"x": alone, "y": alone}


def test_the_two_directions_of_a_link_do_not_disturb_each_other(traffic):
    traffic.send("x", "a", "b")
    traffic.send("y", "b", "a")
    alone = pytest.approx(M / B + LATENCY)
    assert traffic.run() == {"x": alone, "y": alone}


def test_a_transfer_that_begins_later_slows_the_first_from_then_on_and_gets_its_rest(traffic):
    traffic.send("x", "a", "c")
    traffic.send("y", "b", "c", at=5.0)
    # x: 5 s alone, 500 bytes left at half the rate; y: 10 s at half the rate, then 5 s alone.
    assert traffic.run() == {
        "x": pytest.approx(15.0 + LATENCY),
        "y": pytest.approx(20.0 + LATENCY),
    }


@pytest.mark.parametrize("p", [2, 8, 32])
def test_a_server_that_all_send_to_saturates(traffic, p):
    for rank in range(p):
        traffic.send(rank, rank, "server")
    assert list(traffic.run().values()) == [pytest.approx(p * M / B + LATENCY)] * p


def test_what_a_lost_member_sends_or_receives_is_lost_a_latency_later_and_gives_room(traffic):
    traffic.send("from it", "lost", "c")
    traffic.send("to it", "a", "lost")
    traffic.send("beside it", "b", "c")
    traffic.clock.after(4.0, lambda: traffic.network.drop("lost"))
    # Half the rate for 4 s, then all of it.
    assert traffic.run() == {"beside it": pytest.approx(4.0 + 8.0 + LATENCY)}
    assert traffic.lost == {"from it": 4.0 + LATENCY, "to it": 4.0 + LATENCY}
