"""All processes of a job are lost in virtual time and come back, each with what it saved last."""

from datetime import timedelta

import pytest
import torch
from pydantic import ValidationError
from torch.nn.functional import dropout

from gossip_api.simulation import Fault
from gossip_trainer.errors import RunError
from gossip_trainer.simulation.clock import Clock
from gossip_trainer.simulation.faults import check_ranks, schedule_restarts

SAVING = {"storage": {"claimName": "unused"}, "every": "3s"}
ELASTIC = {"type": "ElasticAveraging", "elasticAveraging": {"overlap": False}}
FAST = {"link": {"bandwidth": "1Tbps", "latency": "0us"}}
JITTER = {"computeSeconds": {"mean": 1.0, "jitter": 0.5}}
ADAM = {"name": "adamw", "learningRate": 0.01, "weightDecay": 0.1}
# From before anybody has saved to the last step, in and between the steps.
MOMENTS = (0.4, 2.9, 3.3, 4.0, 6.1, 8.75, 11.0)
DOWN = 5


def restart(at):
    return {"at": f"{round(at * 1000)}ms", "restart": f"{DOWN}s"}


def vectors(simulator):
    """Return the models of those that are there in the end, by rank."""
    there = [worker for worker in simulator.workers if not worker.gone]
    return {worker.parts.endpoint.rank: worker.parts.replica.model.vector for worker in there}


@pytest.fixture
def prepare(make_simulator):
    """Return the simulator of a job with faults, and with a model that drops inputs by chance."""

    def make(*faults, simulation=None, checkpoint=SAVING, **changes):
        simulation = (simulation or {}) | {"faults": list(faults)}
        simulator = make_simulator(checkpoint=checkpoint, simulation=simulation, **changes)
        simulator.world.shared.module.register_forward_pre_hook(
            lambda module, inputs: dropout(inputs[0], 0.2, training=module.training)
        )
        return simulator

    with torch.random.fork_rng(devices=[]):
        yield make


@pytest.fixture
def run(prepare):
    """Return a function that simulates such a job: the simulator and its result."""

    def simulate(*faults, **changes):
        torch.manual_seed(7)
        simulator = prepare(*faults, **changes)
        return simulator, simulator.run()

    return simulate


DETERMINED = {
    "one worker": {"workers": {"replicas": 1}},
    "one worker, Adam, a schedule and seconds": {
        "workers": {"replicas": 1},
        "training": {
            "optimizer": ADAM,
            "budget": {"seconds": 11.5},
            "schedule": {"name": "cosine", "epochs": 1},
        },
    },
    "one worker and its moving average": {
        "workers": {"replicas": 1},
        "training": {"movingAverage": {"decay": 0.9}},
    },
    "all-reduce": {"strategy": {"type": "AllReduce"}},
    "all-reduce, Adam": {"strategy": {"type": "AllReduce"}, "training": {"optimizer": ADAM}},
    "all-reduce for seconds": {
        "strategy": {"type": "AllReduce"},
        "training": {"budget": {"seconds": 14.5}},
    },
    "local SGD": {
        "strategy": {"type": "LocalSGD", "localSGD": {"period": 2}},
        "training": {"budget": {"samples": 150}},
    },
}


def are_equal(one, other):
    models, others = vectors(one), vectors(other)
    return models.keys() == others.keys() and all(torch.equal(models[r], others[r]) for r in models)


@pytest.mark.parametrize("changes", DETERMINED.values(), ids=DETERMINED)
def test_whenever_all_are_lost_the_job_ends_with_the_bits_of_an_undisturbed_one(run, changes):
    undisturbed, expected = run(simulation=JITTER, **changes)
    for at in MOMENTS:
        simulator, result = run(restart(at), simulation=JITTER, **changes)
        assert are_equal(simulator, undisturbed), at
        assert result.final.loss == expected.final.loss
        assert result.final.job_samples == expected.final.job_samples
        assert result.final.seconds >= expected.final.seconds + DOWN


@pytest.mark.parametrize("second", [11.2, 13.2, 14.4, 16.0])
def test_what_was_saved_once_serves_for_two_restarts(run, second):
    job = {"strategy": {"type": "AllReduce"}, "simulation": FAST}
    undisturbed, expected = run(**job)
    simulator, result = run(restart(5.5), restart(second), **job)
    assert are_equal(simulator, undisturbed)
    assert result.final.seconds >= expected.final.seconds + 2 * DOWN
    assert [worker.member for worker in result.workers if not worker.gone] == [
        f"worker-{rank}-2" for rank in range(4)
    ]


def test_workers_go_on_in_the_order_in_which_their_gradients_are_added_up(run, tmp_path):
    trace = tmp_path / "steps.txt"
    trace.write_text("1\n3\n2\n1\n1\n2\n2\n")  # some take equally long
    job = {
        "strategy": {"type": "AllReduce"},
        "workers": {"replicas": 6},
        "simulation": FAST | {"computeSeconds": {"trace": str(trace), "mean": None}},
    }
    undisturbed, _ = run(**job)
    assert all(are_equal(run(restart(at), **job)[0], undisturbed) for at in (4.5, 9.5, 14.5, 20.5))


def test_every_strategy_comes_to_the_end_of_its_budget_with_the_lost_time(run, any_strategy):
    faults = restart(6.5), {"at": "20s", "restart": "2s"}
    _, expected = run(simulation=FAST | JITTER, **any_strategy)
    _, result = run(*faults, simulation=FAST | JITTER, **any_strategy)
    there = [worker for worker in result.workers if not worker.gone]
    assert [worker.steps for worker in there] == [10] * 4
    assert result.final.averaged == 4
    assert result.final.job_samples >= expected.final.job_samples
    assert result.final.seconds >= expected.final.seconds + DOWN
    # What they did since they saved last is lost, and done once more.
    assert sum(worker.steps for worker in result.workers) > 40


def test_partners_of_outer_steps_meet_again_with_the_rounds_they_were_in(run):
    pairs = {"type": "LocalSGD", "localSGD": {"period": 1, "averaging": "Gossip"}}
    simulator, result = run(restart(6.5), strategy=pairs, simulation=FAST)
    there = [worker for worker in result.workers if not worker.gone]
    # All saved after the sixth of ten steps, and meet after each of the others.
    assert [(worker.exchanges, worker.lost) for worker in there] == [(4, 0)] * 4
    assert simulator.workers[-1].parts.algorithm.inner._round == 10


def test_workers_go_on_from_models_of_their_own_and_servers_from_their_parts(prepare):
    simulator = prepare(restart(8.5), strategy=ELASTIC, server={"shards": 2}, simulation=FAST)
    world, saved = simulator.world, {}

    def remember():
        saved["centre"] = torch.cat([world.checkpoints.part(shard) for shard in range(2)])
        saved["models"] = [
            world.checkpoints.workers()[rank].worker["vector"].clone() for rank in range(4)
        ]

    def compare():
        centre = torch.empty_like(world.shared.initial)
        for server in world.servers:
            server.write_to_(centre)
        assert torch.equal(centre, saved["centre"])
        back = [model for _, model in sorted(vectors(simulator).items())]
        assert all(map(torch.equal, back, saved["models"]))
        assert len({tuple(model.tolist()) for model in (*back, centre)}) == 5
        saved["compared"] = True

    world.clock.after(8.4, remember)
    world.clock.after(8.6 + DOWN, compare)
    simulator.run()
    assert saved["compared"]


def test_a_server_that_saved_nothing_takes_the_mean_of_the_workers(prepare):
    # Nobody writes to the server before the tenth step, but workers save after the third.
    strategy = {"type": "ElasticAveraging", "elasticAveraging": {"period": 10}}
    simulator = prepare(restart(5.5), strategy=strategy, simulation=FAST)
    centre = torch.empty_like(simulator.world.shared.initial)
    means = []

    def look():
        (server,) = simulator.world.servers
        server.write_to_(centre)
        models = [worker.parts.publisher.newest.vector for worker in simulator.workers[-4:]]
        means.append(torch.stack(models).mean(0))

    simulator.world.clock.after(5.6 + DOWN, look)
    simulator.run()
    torch.testing.assert_close(centre, means[0])
    assert not torch.equal(centre, simulator.world.shared.initial)


def test_one_that_saved_nothing_copies_a_peer_though_others_have_saved(run):
    slow = FAST | {"stragglers": [{"worker": 2, "slowdown": 8}]}
    simulator, result = run(restart(6.5), simulation=slow)
    assert result.workers[-1].member == "worker-2-1"  # after those who go on by themselves
    assert simulator.workers[-1].boundary.counters.own_steps < result.workers[-1].steps == 10


def test_who_had_crashed_or_was_told_to_leave_before_stays_away(run):
    _, result = run(
        {"at": "2s", "crash": 1}, {"at": "6200ms", "leave": 2}, restart(6.5), simulation=FAST
    )
    assert [worker.member for worker in result.workers if not worker.gone] == [
        "worker-0-1",
        "worker-3-1",
    ]


def test_one_may_join_after_all_have_come_back(run):
    _, result = run(restart(4.5), {"at": "11s", "join": 4}, simulation=FAST)
    assert result.final.averaged == 5


def test_evaluations_of_the_lost_past_stay_and_there_are_none_while_nobody_is_there(run):
    _, result = run(restart(5.5), simulation=FAST, evaluation={"every": "1s"})
    seconds = [evaluation.seconds for evaluation in result.evaluations]
    assert seconds == [0, 1, 2, 3, 4, 5, *range(11, 18), 17.5]
    steps = {each.seconds: each.job_steps for each in result.evaluations}
    assert (steps[5], steps[11]) == (16, 12)  # each saved after its third step
    assert result.final.job_steps == 40


def test_seconds_of_the_budget_are_those_in_which_the_job_trained_what_it_kept(run):
    budget = {"training": {"budget": {"seconds": 10}}}
    _, result = run(restart(5.5), simulation=FAST, **budget)
    assert [worker.steps for worker in result.workers] == [5] * 4 + [10] * 4
    assert result.final.seconds == 10 + (5.5 - 3) + DOWN


def test_saving_takes_no_time_and_changes_nothing(run):
    _, expected = run(checkpoint=None)
    _, result = run(restart(1000))
    assert result == expected


@pytest.mark.parametrize(("every", "steps"), [("1s", 8), ("3s", 6), ("5s", 5), ("60s", 0)], ids=str)
def test_a_restart_costs_what_was_done_since_the_last_save(run, every, steps):
    _, result = run(restart(8.5), simulation=FAST, checkpoint=SAVING | {"every": every})
    assert result.final.seconds == 8.5 + DOWN + 10 - steps


@pytest.mark.parametrize("checkpoint", [None, SAVING | {"writers": "Evaluator"}])
def test_a_restart_without_anything_to_go_on_from_is_refused(prepare, checkpoint):
    with pytest.raises(ValidationError, match=r"checkpoint: must be there, with writers All"):
        prepare(restart(1), checkpoint=checkpoint)


@pytest.mark.parametrize(
    "second", [{"crash": 1}, {"leave": 1}, {"join": 5}, {"restart": timedelta(seconds=1)}]
)
def test_nothing_happens_while_nobody_is_there(second):
    first = Fault(at=timedelta(seconds=4), restart=timedelta(seconds=3))
    for at in (5, 7):
        with pytest.raises(RunError, match=r"faults\[0\]\.at: at 0:00:0\d nobody is there"):
            check_ranks((Fault(at=timedelta(seconds=at), **second), first), (), workers=3)
    later = Fault(at=timedelta(milliseconds=7001), **second)
    check_ranks((later, first), (), workers=3)


def test_all_are_lost_and_brought_back_at_their_times():
    clock, seen = Clock(), []
    faults = (Fault(at=timedelta(seconds=2), restart=timedelta(seconds=3)),)
    schedule_restarts(
        clock,
        (Fault(at=timedelta(seconds=1), crash=0), *faults),
        lose=lambda: seen.append(("lost", clock.now)),
        bring_back=lambda: seen.append(("back", clock.now)),
    )
    clock.run_while(lambda: bool(clock._heap))
    assert seen == [("lost", 2.0), ("back", 5.0)]
