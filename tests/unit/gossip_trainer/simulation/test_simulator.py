"""Whole simulations of a small job: what takes how long, and that the mathematics is real."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from gossip_trainer.data.dataset import Batch
from gossip_trainer.data.registry import load_dataset
from gossip_trainer.data.sampler import ShardSampler, Share
from gossip_trainer.errors import RunError
from gossip_trainer.models.registry import build_model
from gossip_trainer.replica.flat import FlatModel
from gossip_trainer.simulation.collective import ring_bytes
from gossip_trainer.simulation.compute import step_seconds
from gossip_trainer.simulation.simulator import check, simulate
from gossip_trainer.training.optimizers import build_optimizer

LATENCY, BANDWIDTH = 0.01, 1000.0
FAST = {"link": {"bandwidth": "1Tbps", "latency": "0us"}}
JITTER = {"computeSeconds": {"mean": 1.0, "jitter": 0.3}}


def vectors(simulator):
    return [worker.parts.replica.model.vector for worker in simulator.workers]


def plain_training(job, steps):
    """One process, no strategy: the loop everybody knows."""
    training = job.spec.training
    dataset = load_dataset(training.data, training.seed)
    module = build_model(training.model, input_shape=(6,), num_classes=3, seed=training.seed)
    model = FlatModel(module)
    optimizer = build_optimizer(training.optimizer, [model.parameter])
    batches = ShardSampler(
        dataset.train_targets, 4, share=Share(0, 1), sharding="Partition", seed=training.seed
    )
    for _ in range(steps):
        inputs, targets = dataset.train_batch(next(batches))
        optimizer.zero_grad(set_to_none=False)
        cross_entropy(module(inputs), targets).backward()
        optimizer.step()
    return model.vector


@pytest.mark.parametrize("strategy", ["blocking", "overlapped", "all_reduce"])
def test_one_worker_alone_is_plain_training_to_the_bit(make_simulator, request, strategy):
    chosen = {"type": "Gossip"} if strategy == "overlapped" else request.getfixturevalue(strategy)
    simulator = make_simulator(strategy=chosen, workers={"replicas": 1})
    result = simulator.run()
    assert torch.equal(vectors(simulator)[0], plain_training(simulator._job, 10))
    assert result.final.seconds == 10.0


def test_a_blocking_step_takes_its_computing_two_latencies_and_the_transfer(
    make_simulator, blocking
):
    # Two workers never contend for a link: each has one transfer in and one out at most.
    simulator = make_simulator(strategy=blocking, workers={"replicas": 2})
    result = simulator.run()
    fetch = 2 * LATENCY + vectors(simulator)[0].nbytes / BANDWIDTH
    counts = [worker.boundary.counters for worker in simulator.workers]
    assert all(0 < each.exchanges < 10 for each in counts)  # at times a worker draws itself
    longest = max(each.exchanges for each in counts)
    assert result.final.seconds == pytest.approx(10 * 1.0 + longest * fetch)


def test_an_overlapped_step_takes_its_computing_alone_and_skips_what_is_too_slow(make_simulator):
    slow = {"link": {"bandwidth": "1kbps"}}  # a fetch takes several steps
    result = make_simulator(simulation=slow).run()
    assert result.final.seconds == 10.0
    assert all(worker.skipped > worker.exchanges > 0 for worker in result.workers)


def test_an_all_reduced_step_takes_the_longest_computing_and_the_ring(make_simulator, all_reduce):
    simulator = make_simulator(strategy=all_reduce, simulation=JITTER)
    result = simulator.run()
    draws = [step_seconds(simulator._settings, 1, rank, 0) for rank in range(4)]
    num_bytes = simulator.workers[0].parts.replica.model.gradient.nbytes
    ring = ring_bytes(num_bytes, 4) / BANDWIDTH + 6 * LATENCY
    expected = sum(max(draw() for draw in draws) + ring for _ in range(10))
    assert result.final.seconds == pytest.approx(expected)
    assert result.bytes_per_worker == 10 * 1.5 * num_bytes


def test_all_reduce_keeps_all_workers_equal_and_is_one_worker_with_all_batches(
    make_simulator, all_reduce
):
    simulator = make_simulator(strategy=all_reduce)
    result = simulator.run()
    first, *others = vectors(simulator)
    assert all(torch.equal(first, other) for other in others)
    assert result.final.consensus_distance == 0.0

    alone = make_simulator(strategy=all_reduce, workers={"replicas": 1})
    samplers = [worker.parts.batches for worker in make_simulator().workers]
    drawn = ([next(each) for each in samplers] for _ in range(10))
    together = (Batch(*map(torch.cat, zip(*batches, strict=True))) for batches in drawn)
    object.__setattr__(alone.workers[0].parts, "batches", together)
    alone.run()
    torch.testing.assert_close(vectors(alone)[0], first)


def steps_in_20_seconds(make_simulator, strategy):
    result = make_simulator(
        strategy=strategy,
        training={"budget": {"seconds": 20}},
        simulation=FAST | {"stragglers": [{"worker": 1, "slowdown": 4}]},
    ).run()
    return [worker.steps for worker in result.workers]


@pytest.mark.parametrize("overlap", [True, False])
def test_a_straggler_slows_nobody_but_itself_under_gossip(make_simulator, overlap):
    strategy = {"type": "Gossip", "gossip": {"overlap": overlap}}
    assert steps_in_20_seconds(make_simulator, strategy) == [20, 5, 20, 20]


def test_a_straggler_slows_everybody_under_all_reduce(make_simulator, all_reduce):
    # The wish to stop is uttered before a step and heeded after it.
    assert steps_in_20_seconds(make_simulator, all_reduce) == [5, 5, 5, 5]


def test_the_same_job_gives_the_same_result_to_the_bit_and_another_seed_another(make_simulator):
    def run(seed):
        simulator = make_simulator(training={"seed": seed}, simulation=JITTER)
        return simulator.run(), vectors(simulator)

    (first, models), (again, models_again), (other, _) = run(1), run(1), run(2)
    assert first == again
    assert all(map(torch.equal, models, models_again))
    assert first.final.seconds != other.final.seconds
    assert first.final.loss != other.final.loss


def test_a_simulation_leaves_torchs_random_stream_as_it_was(make_job):
    before = torch.get_rng_state()
    simulate(make_job())
    assert torch.equal(torch.get_rng_state(), before)


def test_after_a_crash_the_others_go_on_and_what_it_did_stays_counted(make_simulator):
    result = make_simulator(
        training={"budget": {"samples": 200}},
        simulation={"faults": [{"at": "3500ms", "crash": 2}]},
    ).run()
    steps = [worker.steps for worker in result.workers]
    assert steps[2] == 3
    assert result.final.job_samples == 4 * sum(steps) >= 200
    assert result.final.averaged == 3
    assert [worker.gone for worker in result.workers] == [False, False, True, False]


def test_fetches_from_a_worker_that_crashes_are_lost_and_nobody_hangs(make_simulator, blocking):
    lost = 0
    for rank in range(4):  # all fetch at 1 s, somebody from somebody
        faults = [{"at": "1100ms", "crash": rank}]
        result = make_simulator(strategy=blocking, simulation={"faults": faults}).run()
        lost += sum(worker.lost for worker in result.workers)
        assert [worker.steps for worker in result.workers if not worker.gone] == [10, 10, 10]
    assert lost > 0


def test_a_worker_that_leaves_ends_after_its_step(make_simulator):
    result = make_simulator(simulation={"faults": [{"at": "3500ms", "leave": 1}]}).run()
    assert result.workers[1].steps == 4
    assert result.workers[1].gone
    assert result.final.averaged == 3


def test_a_worker_that_joins_begins_with_a_peers_model_and_its_step(make_simulator):
    simulator = make_simulator(
        simulation=FAST | {"faults": [{"at": "2s", "crash": 3}, {"at": "4500ms", "join": 3}]}
    )
    copied = []

    def look():
        joined, peer = simulator.workers[-1], simulator.workers[0]
        assert joined.parts.endpoint.name == "worker-3-1"
        newest = peer.parts.publisher.newest
        copied.append(torch.equal(vectors(simulator)[-1], newest.vector))

    simulator.world.clock.after(4.9, look)
    result = simulator.run()
    assert copied == [True]
    assert (result.workers[-1].member, result.workers[-1].steps) == ("worker-3-1", 10)
    assert result.final.averaged == 4
    assert result.final.seconds == pytest.approx(10.5)


def test_the_average_is_tested_at_the_start_at_every_interval_and_at_the_end(make_simulator):
    result = make_simulator(evaluation={"every": "4s"}).run()
    assert [each.seconds for each in result.evaluations] == [0.0, 4.0, 8.0, 10.0]
    assert [each.final for each in result.evaluations] == [False, False, False, True]
    assert result.evaluations[0].consensus_distance == 0.0
    assert result.final.consensus_distance > 0.0
    assert result.final.loss < result.evaluations[0].loss


def test_the_target_ends_the_job_at_the_next_boundary(make_simulator):
    result = make_simulator(
        evaluation={"every": "1500ms"},
        training={"budget": {"epochs": 50}, "target": {"metric": "loss", "value": 100}},
    ).run()
    assert result.stop == "target"
    assert result.reached == result.evaluations[0]
    assert result.final.job_steps == 4  # every worker ends the step it is in
    assert result.final.seconds == 0.0  # when the job was stopped


def test_the_budget_and_the_learning_rate_follow_the_samples_of_all(make_simulator):
    simulator = make_simulator(
        training={
            "budget": {"samples": 100},
            "schedule": {"name": "step", "milestones": [0.2], "gamma": 0.1},
        }
    )
    rates, rate = [], simulator.world.rate

    def noted(epoch, num_live):
        rates.append(rate(epoch, num_live))
        return rates[-1]

    object.__setattr__(simulator.world, "rate", noted)
    result = simulator.run()
    # 4 workers of 4 samples each: 100 are passed in the 7th round, and 48 in the 3rd.
    assert result.final.job_samples == 112
    assert [round(each, 3) for each in rates] == [0.05] * 12 + [0.005] * 16


def test_a_worker_holds_its_model_the_momentum_and_at_most_two_snapshots(make_simulator):
    simulator = make_simulator(workers={"replicas": 16}, simulation=JITTER)
    result = simulator.run()
    assert simulator.world.snapshots.allocated <= 2 * 16
    assert result.cost.bytes_per_worker <= 4 * vectors(simulator)[0].nbytes


def test_a_job_without_its_simulation_is_refused_with_a_way_out(make_job):
    with pytest.raises(RunError, match=r"--set simulation\.computeSeconds\.mean"):
        check(make_job(simulation=None))


@pytest.mark.parametrize("strategy", [{"type": "AllReduce"}, {"type": "LocalSGD"}])
def test_faults_are_refused_where_all_workers_meet(make_job, strategy):
    job = make_job(strategy=strategy, simulation={"faults": [{"at": "1s", "crash": 1}]})
    with pytest.raises(RunError, match=r"spec\.simulation\.faults: groups that lose"):
        check(job)


def test_faults_are_allowed_where_workers_meet_in_pairs(make_job):
    strategy = {"type": "LocalSGD", "localSGD": {"averaging": "Gossip"}}
    check(make_job(strategy=strategy, simulation={"faults": [{"at": "1s", "crash": 1}]}))
