"""The job's model in virtual time, where it is the workers' moving averages that are averaged."""

import torch

NOISY = {
    "model": {"name": "quadratic"},
    "data": {"name": "quadratic"},
    "optimizer": {"name": "sgd", "learningRate": 0.3},
    "budget": {"stepsPerWorker": 150},
}


def averaging(**settings):
    return {"training": NOISY | {"movingAverage": settings}}


def test_workers_train_the_same_and_the_jobs_model_is_better(make_simulator):
    plain = make_simulator(training=NOISY)
    without = plain.run()
    averaged = make_simulator(**averaging(decay=0.95))
    result = averaged.run()
    for one, other in zip(plain.workers, averaged.workers, strict=True):
        assert torch.equal(one.parts.replica.model.vector, other.parts.replica.model.vector)
    assert result.final.loss < 0.5 * without.final.loss
    assert result.final.consensus_distance == without.final.consensus_distance


def test_the_jobs_model_is_the_mean_of_the_averages(make_simulator):
    simulator = make_simulator(**averaging(decay=0.9))
    simulator.run()
    averages = [worker.parts.averages.newest.vector for worker in simulator.workers]
    expected = torch.stack(averages).double().mean(0).float()
    torch.testing.assert_close(simulator._evaluator._averaged.model.vector, expected)


def test_one_that_joins_begins_its_average_with_the_model_it_copied(make_simulator):
    simulator = make_simulator(
        **averaging(decay=0.9, everySteps=1000),  # no change before the end
        simulation={"faults": [{"at": "20s", "join": 4}]},
    )
    result = simulator.run()
    assert result.final.averaged == 5
    initial = simulator.world.shared.initial
    *first, joined = [worker.parts.averages.newest.vector for worker in simulator.workers]
    assert all(torch.equal(average, initial) for average in first)
    assert not torch.equal(joined, initial)
