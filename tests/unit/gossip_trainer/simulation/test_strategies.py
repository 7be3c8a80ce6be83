"""Every strategy in whole simulations: it repeats itself, and what it conserves is conserved.

Where the learning rate is 0 only exchanges move models, so that a law of what they keep must hold
from start to end, to the rounding of single precision.
"""

import math

import pytest
import torch

JITTER = {"computeSeconds": {"mean": 1.0, "jitter": 0.5}, "link": {"bandwidth": "10kbps"}}


def vectors(simulator):
    return [worker.parts.replica.model.vector for worker in simulator.workers]


def scatter(simulator):
    """Give every worker a model of its own; return them, one a row."""
    generator = torch.Generator().manual_seed(3)
    for vector in vectors(simulator):
        vector.copy_(torch.randn(vector.shape, generator=generator))
    return torch.stack(vectors(simulator)).double()


def at_rest(simulator):
    """Let nothing but exchanges move a model."""
    object.__setattr__(simulator.world, "rate", lambda _epoch, _live: 0.0)
    for worker in simulator.workers:
        worker.parts.optimizer.param_groups[0]["momentum"] = 0.0
        worker.parts.optimizer.param_groups[0]["nesterov"] = False
    return simulator


# All


def test_the_same_job_gives_the_same_result_to_the_bit(make_simulator, any_strategy):
    results, models = [], []
    for _ in range(2):
        simulator = make_simulator(**any_strategy, simulation=JITTER)
        results.append(simulator.run())
        models.append(torch.stack(vectors(simulator)))
    assert results[0] == results[1]
    assert torch.equal(*models)
    assert [worker.steps for worker in results[0].workers] == [10] * 4
    assert math.isfinite(results[0].final.loss)


def test_every_strategy_learns(make_simulator, any_strategy):
    # h/2 |x|^2 from x = 1 in every one of 16 coordinates, with noise that leaves little of it.
    training = {
        "model": {"name": "quadratic", "args": {"start": 1}},
        "data": {"name": "quadratic", "args": {"dimension": 16, "noise": 0.1, "examples": 512}},
        "optimizer": {"name": "sgd", "learningRate": 0.05, "momentum": 0.5, "nesterov": True},
        "budget": {"stepsPerWorker": 60},
    }
    result = make_simulator(**any_strategy, training=training, simulation=JITTER).run()
    assert result.evaluations[0].loss == pytest.approx(8.0)
    assert result.final.loss < 0.2


def test_every_strategy_is_over_in_a_job_that_ends_by_the_samples_of_all(
    make_simulator, any_strategy
):
    result = make_simulator(
        **any_strategy, training={"budget": {"samples": 100}}, simulation=JITTER
    ).run()
    assert 100 <= result.final.job_samples <= 100 + 4 * 4 * 3
    assert result.stop == "budget"


def test_every_strategy_whose_workers_never_all_meet_goes_on_without_one_that_crashed(
    make_simulator, resilient_strategy
):
    faults = [{"at": "3300ms", "crash": 2}, {"at": "4100ms", "leave": 1}, {"at": "6s", "join": 2}]
    result = make_simulator(**resilient_strategy, simulation=JITTER | {"faults": faults}).run()
    assert {w.member for w in result.workers if w.gone} == {"worker-1-0", "worker-2-0"}
    joined = next(worker for worker in result.workers if worker.member == "worker-2-1")
    assert joined.steps == 10
    assert [w.steps for w in result.workers if w.member in {"worker-0-0", "worker-3-0"}] == [10, 10]


# What is conserved


@pytest.mark.parametrize("overlap", [True, False])
def test_pairwise_averaging_keeps_the_mean_whatever_is_under_way(make_simulator, overlap):
    strategy = {"type": "Gossip", "gossip": {"exchange": "Pairwise", "overlap": overlap}}
    simulator = at_rest(make_simulator(strategy=strategy, simulation=JITTER))
    start = scatter(simulator)
    result = simulator.run()
    end = torch.stack(vectors(simulator)).double()
    assert sum(worker.exchanges for worker in result.workers) > 10
    assert not torch.allclose(end, start, atol=0.1)
    torch.testing.assert_close(end.mean(dim=0), start.mean(dim=0), rtol=0, atol=1e-5)


@pytest.mark.parametrize("overlap", [True, False])
@pytest.mark.parametrize("topology", ["Complete", "Hypercube"])
def test_push_sum_keeps_the_mass_and_its_weighted_mean(make_simulator, overlap, topology):
    gossip = {"exchange": "PushSum", "overlap": overlap, "topology": {"type": topology}}
    strategy = {"type": "Gossip", "gossip": gossip}
    simulator = at_rest(make_simulator(strategy=strategy, simulation=JITTER))
    start = scatter(simulator)
    result = simulator.run()
    weights = torch.tensor([w.parts.algorithm.weight for w in simulator.workers]).double()
    end = torch.stack(vectors(simulator)).double()
    assert sum(worker.exchanges for worker in result.workers) > 10
    # Shares that a finished worker declined came back to their senders.
    assert float(weights.sum()) == pytest.approx(4.0, rel=1e-6)
    mean = (weights[:, None] * end).sum(dim=0) / 4.0
    torch.testing.assert_close(mean, start.mean(dim=0), rtol=0, atol=1e-5)


@pytest.mark.parametrize("overlap", [True, False])
@pytest.mark.parametrize("shards", [1, 3])
def test_elastic_averaging_keeps_the_sum_of_workers_and_centre(make_simulator, overlap, shards):
    strategy = {
        "type": "ElasticAveraging",
        "elasticAveraging": {"movingRate": 0.3, "overlap": overlap},
    }
    simulator = at_rest(
        make_simulator(strategy=strategy, server={"shards": shards}, simulation=JITTER)
    )

    def total():
        centre = torch.zeros_like(vectors(simulator)[0])
        for server in simulator.world.servers:
            server.write_to_(centre)
        return torch.stack([*vectors(simulator), centre]).double().sum(dim=0), centre

    scatter(simulator)
    before, centre_before = total()
    simulator.run()
    after, centre_after = total()
    assert not torch.allclose(centre_before, centre_after, atol=0.1)
    torch.testing.assert_close(after, before, rtol=0, atol=2e-5)


@pytest.mark.parametrize("exchange", ["Pull", "Push"])
def test_what_only_reads_or_overwrites_does_not_keep_the_mean(make_simulator, exchange):
    # The tests above could not fail if nothing was exchanged, or all were equal in the end.
    strategy = {"type": "Gossip", "gossip": {"exchange": exchange}}
    simulator = at_rest(make_simulator(strategy=strategy, simulation=JITTER))
    start = scatter(simulator)
    simulator.run()
    end = torch.stack(vectors(simulator)).double()
    assert not torch.allclose(end.mean(dim=0), start.mean(dim=0), atol=0.01)


# What takes how long


def test_a_blocking_exchange_with_the_server_takes_both_transfers_and_four_latencies_a_pair(
    make_simulator,
):
    strategy = {"type": "ElasticAveraging", "elasticAveraging": {"overlap": False}}
    simulator = make_simulator(strategy=strategy, workers={"replicas": 1})
    result = simulator.run()
    transfer = vectors(simulator)[0].nbytes / 1000.0
    assert result.final.seconds == pytest.approx(10 * (1.0 + 2 * transfer + 2 * 0.01))
    (worker,) = result.workers
    assert worker.received_bytes == worker.sent_bytes == 10 * vectors(simulator)[0].nbytes


def test_with_shards_the_parts_go_one_after_the_other_and_take_the_same_in_all(make_simulator):
    strategy = {"type": "ElasticAveraging", "elasticAveraging": {"overlap": False}}
    simulator = make_simulator(strategy=strategy, workers={"replicas": 1}, server={"shards": 3})
    result = simulator.run()
    transfer = vectors(simulator)[0].nbytes / 1000.0
    assert result.final.seconds == pytest.approx(10 * (1.0 + 2 * transfer + 3 * 2 * 0.01))


def test_the_server_of_a_parameter_server_has_the_model_and_workers_have_no_optimizer(
    make_simulator,
):
    strategy = {"type": "ParameterServer"}
    simulator = make_simulator(strategy=strategy, workers={"replicas": 1})
    simulator.run()
    (server,) = simulator.world.servers
    assert server._served.version == 10
    assert simulator.workers[0].parts.optimizer.state == {}
    x = torch.zeros_like(vectors(simulator)[0])
    server.write_to_(x)
    assert not torch.equal(x, simulator.world.shared.initial)


def test_one_worker_with_a_parameter_server_is_plain_training_to_the_bit(make_simulator):
    served = make_simulator(strategy={"type": "ParameterServer"}, workers={"replicas": 1})
    plain = make_simulator(strategy={"type": "AllReduce"}, workers={"replicas": 1})
    served.run()
    plain.run()
    n = plain.world.shared.layout.num_parameters
    assert torch.equal(vectors(served)[0][:n], vectors(plain)[0][:n])


def test_the_staleness_bound_holds_the_fast_back_and_without_one_nobody(make_simulator):
    def steps(**settings):
        return [
            worker.steps
            for worker in make_simulator(
                strategy={"type": "ParameterServer", "parameterServer": settings},
                training={"budget": {"seconds": 60}},
                simulation={
                    "link": {"bandwidth": "1Gbps", "latency": "1us"},
                    "stragglers": [{"worker": 1, "slowdown": 20}],
                },
            )
            .run()
            .workers
        ]

    # The straggler's step takes 20 s: longer than an answer that is not waited for patiently.
    assert steps() == pytest.approx([60, 3, 60, 60], abs=1)
    bounded = steps(maxStaleness=2)
    assert bounded[1] == 3
    assert all(3 + 2 <= each <= 3 + 2 + 1 for each in (bounded[0], *bounded[2:]))


# Deadlines in virtual time


def test_an_outer_step_waits_for_its_partner_no_longer_than_the_deadline(make_simulator):
    settings = {"period": 2, "averaging": "Gossip", "partnerDeadline": "5s"}
    result = make_simulator(
        strategy={"type": "LocalSGD", "localSGD": settings},
        workers={"replicas": 2},
        training={"budget": {"stepsPerWorker": 2}},
        simulation={
            "link": {"bandwidth": "1Gbps", "latency": "1us"},
            "stragglers": [{"worker": 1, "slowdown": 30}],
        },
    ).run()
    # Worker 0 has trained for 2 s when it waits; its partner comes after 60 s.
    assert [worker.heard for worker in result.workers] == [0, 1]
    assert result.workers[0].steps == 2


def test_partners_that_meet_in_time_make_the_same_outer_step(make_simulator):
    settings = {"period": 5, "averaging": "Gossip", "outer": {"learningRate": 1.0, "momentum": 0.0}}
    simulator = make_simulator(
        strategy={"type": "LocalSGD", "localSGD": settings},
        workers={"replicas": 2},
        simulation=JITTER,
    )
    result = simulator.run()
    # Their momentum is their own, and so is the look-ahead: x is what they publish.
    models = [worker.parts.publisher.newest.vector for worker in simulator.workers]
    torch.testing.assert_close(*models)
    assert result.final.consensus_distance == pytest.approx(0.0, abs=1e-6)
    assert [worker.heard for worker in result.workers] == [2, 2]
