import random
from itertools import pairwise
from statistics import fmean, stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossip_trainer.simulation.clock import Clock
from gossip_trainer.simulation.network import Network

M, B, LATENCY = 1000.0, 100.0, 0.5


class Traffic:
    """Sends over one network and notes when what arrived or was lost."""

    def __init__(self, latency=LATENCY, duplex="Full"):
        self.clock = Clock()
        self.network = Network(self.clock, bandwidth=B, latency=latency, duplex=duplex)
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


@pytest.mark.parametrize(("duplex", "longer"), [("Full", 1), ("Half", 2)])
def test_the_two_directions_of_a_half_duplex_link_share_its_bandwidth(duplex, longer):
    traffic = Traffic(duplex=duplex)
    traffic.send("x", "a", "b")
    traffic.send("y", "b", "a")
    both = pytest.approx(longer * M / B + LATENCY)
    assert traffic.run() == {"x": both, "y": both}
    assert traffic.network.bandwidth_both_ways == B / longer


def test_what_passes_through_a_lost_member_of_a_half_duplex_link_is_lost_once():
    traffic = Traffic(duplex="Half")
    traffic.send("to it", "a", "lost")
    traffic.send("from it", "lost", "c")
    traffic.clock.after(4.0, lambda: traffic.network.drop("lost"))
    assert traffic.run() == {}
    assert traffic.lost == {"to it": 4.0 + LATENCY, "from it": 4.0 + LATENCY}


def serve(duplex, p, num_exchanges, num_bytes=lambda: M):
    """Let p workers push to a server and pull from it without rest; return when each was done."""
    traffic, times = Traffic(latency=0.0, duplex=duplex), []

    def push(rank):
        traffic.network.send(
            rank, "server", num_bytes(), arrived=lambda: pull(rank), lost=lambda: None
        )

    def pull(rank):
        traffic.network.send(
            "server", rank, num_bytes(), arrived=lambda: finish(rank), lost=lambda: None
        )

    def finish(rank):
        times.append(traffic.clock.now)
        if len(times) + p <= num_exchanges:
            push(rank)

    for rank in range(p):
        push(rank)
    traffic.run()
    return times


@pytest.mark.parametrize("p", [1, 4, 16])
def test_an_exchange_with_a_half_duplex_server_that_is_never_idle_takes_2_p_m_over_b(p):
    times = serve("Half", p, num_exchanges=20 * p)
    assert times[-1] == pytest.approx(20 * 2 * p * M / B)


@pytest.mark.parametrize("p", [2, 8])
def test_a_full_duplex_server_takes_half_of_it_but_for_what_one_direction_waits_for_the_other(p):
    """Two equal queues in a circle, shared fairly: both are busy p / (p + 1) of the time.

    That is so for every distribution of sizes (Baskett, Chandy, Muntz and Palacios, 1975).
    """
    stream = random.Random(1)
    times = serve("Full", p, 12_000, num_bytes=lambda: stream.expovariate(1 / M))
    batches = [late - early for early, late in pairwise(times[1_000:10_001:500])]
    mean, error = fmean(batches), stdev(batches) / len(batches) ** 0.5
    assert abs(mean / 500 * p - (p + 1) * M / B) < 4.5 * error / 500 * p


def test_an_event_at_a_crowded_end_gives_no_new_event_to_each_transfer(monkeypatch):
    traffic = Traffic(latency=0.0)
    for rank in range(100):
        traffic.send(rank, rank, "server", num_bytes=M + rank)
    asked = 0
    after = traffic.clock.after

    def counted(seconds, call):
        nonlocal asked
        asked += 1
        return after(seconds, call)

    monkeypatch.setattr(traffic.clock, "after", counted)
    assert len(traffic.run()) == 100
    assert asked < 6 * 100


def rates_by_definition(transfers):
    """Return B / max(crowd at the sender, crowd at the receiver) of each (sender, receiver)."""
    return [
        B / max(sum(s == sender for s, _ in transfers), sum(r == receiver for _, r in transfers))
        for sender, receiver in transfers
    ]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(1, 500)).filter(
            lambda transfer: transfer[0] != transfer[1]
        ),
        min_size=1,
        max_size=12,
    )
)
def test_every_transfer_runs_at_its_share_of_the_more_crowded_end(drawn):
    traffic = Traffic(latency=0.0)
    for name, (sender, receiver, num_bytes) in enumerate(drawn):
        traffic.send(name, str(sender), str(receiver), float(num_bytes))
    expected, now = {}, 0.0
    left = {name: [str(s), str(r), float(n)] for name, (s, r, n) in enumerate(drawn)}
    while left:
        rates = dict(
            zip(left, rates_by_definition([(s, r) for s, r, _ in left.values()]), strict=True)
        )
        seconds = min(left[name][2] / rates[name] for name in left)
        now += seconds
        for name in list(left):
            left[name][2] -= seconds * rates[name]
            if left[name][2] < 1e-6:
                expected[name] = now
                del left[name]
    assert traffic.run() == pytest.approx(expected, rel=1e-6, abs=1e-6)
