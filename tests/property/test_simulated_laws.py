"""Laws of the simulator: fair links, and pull gossip's contraction in virtual time.

The contraction is the one of tests/property/test_laws_of_gossip.py, E[S'] = S ((1-b)^2 + b^2 -
b^2/n) with S = sum_i |x_i - xbar|^2, of n workers that pull from each other at once and wait; here
the simulator carries the exchanges out. It is accepted if the mean over many rounds lies within
`SIGMAS` standard errors, the error taken from the same sample, and its rivals are rejected beyond
twice as many.
"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gossip_api.job import GossipTrainingJob
from gossip_trainer.data.registry import load_dataset
from gossip_trainer.simulation.clock import Clock
from gossip_trainer.simulation.network import Network
from gossip_trainer.simulation.simulator import Simulator

SIGMAS = 4.5
BANDWIDTH = 100.0
ROUNDS = 800


def gossip_job(n, weight):
    spec = {
        "strategy": {"type": "Gossip", "gossip": {"overlap": False, "mixingWeight": weight}},
        "workers": {"replicas": n},
        "training": {
            "model": {"name": "mlp", "args": {"hidden": []}},
            "data": {"name": "synthetic", "args": {"examples": 64, "features": 5, "classes": 2}},
            "batchSize": 1,
            "optimizer": {"name": "sgd", "learningRate": 0.1},
            "budget": {"stepsPerWorker": ROUNDS},
        },
        "evaluation": {"every": "365d"},
        # Transfers are lost in the rounding of the clock, so that all stay in step: a worker that
        # draws itself, and waits for nothing, would run ahead of the others else.
        "simulation": {
            "computeSeconds": {"mean": 1000.0},
            "link": {"bandwidth": "999999Tbps", "latency": "0s"},
        },
    }
    return GossipTrainingJob.model_validate(
        {
            "apiVersion": "gossip.training/v1alpha1",
            "kind": "GossipTrainingJob",
            "metadata": {"name": "law"},
            "spec": spec,
        }
    )


def contractions(n, weight):
    """Return S'/S of every round, each from fresh random points, at learning rate 0."""
    job = gossip_job(n, weight)
    training = job.spec.training
    simulator = Simulator(job, load_dataset(training.data, training.seed))
    object.__setattr__(simulator.world, "rate", lambda _epoch, _live: 0.0)
    size = simulator.world.shared.layout.num_parameters
    generator, ratios, before = torch.Generator().manual_seed(n), [], []

    def spread():
        points = torch.stack([w.parts.replica.model.vector for w in simulator.workers]).double()
        return float((points - points.mean(dim=0)).square().sum())

    def between_rounds():
        if before:
            ratios.append(spread() / before.pop())
        for worker in simulator.workers:
            worker.parts.replica.model.vector.copy_(torch.randn(size, generator=generator))
        before.append(spread())
        simulator.world.clock.after(1000.0, between_rounds)

    return simulator, between_rounds, ratios


@pytest.mark.parametrize(("n", "weight"), [(4, 0.5), (8, 0.3)])
def test_a_round_of_blocking_pull_gossip_shrinks_the_spread_as_the_law_says(n, weight):
    simulator, between_rounds, ratios = contractions(n, weight)
    simulator.world.clock.after(500.0, between_rounds)
    result = simulator.run()
    assert {worker.mean_staleness for worker in result.workers} == {0.0}
    b, values = weight, np.array(ratios)
    assert len(values) == ROUNDS - 1
    mean, error = values.mean(), values.std(ddof=1) / len(values) ** 0.5
    assert abs(mean - ((1 - b) ** 2 + b**2 - b**2 / n)) < SIGMAS * error
    excluded = 2 * b * (1 - b) / (n - 1) + b**2 * (n - 2) / (n - 1) ** 2
    assert abs(mean - ((1 - b) ** 2 + b**2 - excluded)) > 2 * SIGMAS * error


members = st.integers(0, 4)
transfers = st.lists(
    st.tuples(members, members, st.floats(1.0, 1000.0), st.floats(0.0, 20.0)).filter(
        lambda each: each[0] != each[1]
    ),
    min_size=1,
    max_size=12,
)


def carried(sent):
    """Carry transfers out; return when each began and arrived, and check the links on the way."""
    clock = Clock()
    network, arrivals = Network(clock, bandwidth=BANDWIDTH, latency=0.0), {}

    def check():
        for ends in (network._out, network._in):
            for end in ends.values():
                rates = [BANDWIDTH / len(transfer.limit.transfers) for transfer in end.transfers]
                assert sum(rates) <= BANDWIDTH * (1 + 1e-9)

    for index, (sender, receiver, num_bytes, at) in enumerate(sent):

        def begin(index=index, sender=sender, receiver=receiver, num_bytes=num_bytes):
            network.send(
                str(sender),
                str(receiver),
                num_bytes,
                arrived=lambda: arrivals.update({index: clock.now}),
                lost=lambda: None,
            )
            check()

        clock.after(at, begin)
    clock.run_while(lambda: bool(clock._heap))
    return arrivals


@given(transfers)
@settings(max_examples=60, deadline=None)
def test_no_link_ever_carries_more_than_it_can_and_everything_arrives(sent):
    arrivals = carried(sent)
    assert arrivals.keys() == set(range(len(sent)))
    for index, (_, _, num_bytes, at) in enumerate(sent):
        alone = num_bytes / BANDWIDTH
        crowded = sum(each[2] for each in sent) / BANDWIDTH
        assert at + alone <= arrivals[index] * (1 + 1e-9)
        assert arrivals[index] <= (20.0 + crowded) * (1 + 1e-9)


@given(transfers)
@settings(max_examples=20, deadline=None)
def test_the_same_transfers_take_the_same_times_to_the_bit(sent):
    assert carried(sent) == carried(sent)
