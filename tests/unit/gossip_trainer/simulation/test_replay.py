"""The simulator and a worker process run the same algorithm in the same order.

Every virtual worker's part is played again by the real loop over the real step boundary, with an
exchange that brings at each boundary what it brought there in virtual time. Everything else (model,
data order, choice of peers, mixing, what is published) must then come out the same to the bit.
"""

import random
from dataclasses import replace

import pytest
import torch

from gossip_trainer.algorithms.registry import build_algorithm
from gossip_trainer.data.registry import load_dataset
from gossip_trainer.data.sampler import ShardSampler, Share
from gossip_trainer.membership.peers import Peers
from gossip_trainer.models.registry import build_model
from gossip_trainer.progress.budget import BudgetMeter
from gossip_trainer.progress.shared import JobProgress
from gossip_trainer.replica.flat import FlatModel
from gossip_trainer.replica.snapshots import Snapshots
from gossip_trainer.seeding import derive_seed
from gossip_trainer.training.boundary import Limits, Links, StepBoundary
from gossip_trainer.training.exchange import Arrived
from gossip_trainer.training.loop import rate_of, train
from gossip_trainer.training.optimizers import build_optimizer

JITTER = {"computeSeconds": {"mean": 1.0, "jitter": 0.5}, "link": {"bandwidth": "10kbps"}}


class Recorder:
    """Notes what a virtual worker fetches, collects and publishes."""

    def __init__(self, worker):
        self.fetches, self.collected, self.published = [], [], []
        exchange, boundary = worker.parts.exchange, worker.boundary
        begin, collect, publish = exchange.begin, exchange.collect, boundary.publish

        def noted_begin(fetch, peer):
            self.fetches.append(fetch)
            return begin(fetch, peer)

        def noted_collect():
            outcome = collect()
            if isinstance(outcome, Arrived):
                message = outcome.message
                kept = replace(outcome, message=replace(message, vector=message.vector.clone()))
                self.collected.append(kept)
            else:
                self.collected.append(outcome)
            return outcome

        def noted_publish(x=None):
            publish(x)
            self.published.append(boundary.newest.vector.clone())

        exchange.begin, exchange.collect = noted_begin, noted_collect
        boundary.publish = noted_publish


class ScriptedExchange:
    """Brings what the recorder saw, in its order."""

    def __init__(self, recorder):
        self._script = iter(recorder.collected)
        self.busy, self.fetches = False, []

    def begin(self, fetch, peer):
        assert peer.rank == fetch.peer
        self.busy = True
        self.fetches.append(fetch)

    def collect(self, wait_seconds=0.0):
        outcome = next(self._script)
        self.busy = self.busy and outcome is None
        return outcome


class Silent:
    def stepped(self, boundary):
        pass

    def exchange_lost(self, peer, step, reason):
        pass

    def view_changed(self, view):
        pass


class NotingSnapshots(Snapshots):
    """Keeps a copy of everything that was published."""

    def __init__(self, layout):
        super().__init__(layout)
        self.published = []

    def publish(self, x, header):
        done = super().publish(x, header)
        pin = self.pin()
        self.published.append(pin.vector.clone())
        pin.release()
        return done


def play_for_real(job, rank, roster, recorder):
    """Train one worker with the real loop; return its exchange, snapshots and final vector."""
    spec, training = job.spec, job.spec.training
    dataset = load_dataset(training.data, training.seed)
    shape, classes = dataset.input_shape, dataset.num_classes
    module = build_model(training.model, input_shape=shape, num_classes=classes, seed=training.seed)
    model = FlatModel(module)
    optimizer = build_optimizer(training.optimizer, [model.parameter])
    peers = Peers(rank, 0, lambda: roster)
    peers.refresh(0.0)
    stream = random.Random(derive_seed(training.seed, "peers", rank, 0))
    progress = JobProgress(lambda: 0.0)
    progress.begin(rank, 0, 0.0)
    exchange, snapshots = ScriptedExchange(recorder), NotingSnapshots(model.layout)
    boundary = StepBoundary(
        f"worker-{rank}-0",
        algorithm=build_algorithm(spec.strategy, rank, peers.view, stream),
        model=model,
        optimizer=optimizer,
        links=Links(snapshots, peers, exchange, progress),
        limits=Limits(BudgetMeter(training.budget, dataset.num_examples, 1)),
        observer=Silent(),
        clock=lambda: 0.0,
        wall_clock=lambda: 0.0,
    )
    share = Share(rank, spec.workers.replicas)
    batches = ShardSampler(
        dataset.train_targets, 4, share=share, sharding="Partition", seed=training.seed
    )
    train(model, optimizer, dataset, batches, boundary, rate=rate_of(training, None))
    boundary.finish()
    return exchange, snapshots, model.vector


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("overlap", [False, True])
def test_the_real_loop_does_the_same_with_what_arrived_in_virtual_time(
    make_simulator, overlap, nesterov
):
    simulator = make_simulator(
        strategy={"type": "Gossip", "gossip": {"overlap": overlap}},
        training={"optimizer": {"nesterov": nesterov}},
        simulation=JITTER,
    )
    recorders = [Recorder(worker) for worker in simulator.workers]
    roster = simulator.world.standing.roster
    simulator.run()

    for rank, (worker, recorder) in enumerate(zip(simulator.workers, recorders, strict=True)):
        exchange, snapshots, vector = play_for_real(simulator._job, rank, roster, recorder)
        assert exchange.fetches == recorder.fetches
        assert len(recorder.fetches) > 3
        assert len(snapshots.published) == len(recorder.published)
        assert all(map(torch.equal, snapshots.published, recorder.published))
        assert torch.equal(vector, worker.parts.replica.model.vector)
