import pytest

from gossip_api.errors import InvalidJob
from gossip_trainer.compare.errors import InvalidComparison


def places(cells):
    return [(cell.workers, cell.strategy, cell.learning_rate, cell.seed) for cell in cells]


def test_there_is_a_cell_for_every_size_strategy_rate_and_seed(cells):
    planned = cells("all-reduce,job", workers=(2, 4), learning_rates=(0.1, 0.2), seeds=2)
    assert len(planned) == 16
    assert places(planned)[:5] == [
        (2, "all-reduce", 0.1, 5),
        (2, "all-reduce", 0.1, 6),
        (2, "all-reduce", 0.2, 5),
        (2, "all-reduce", 0.2, 6),
        (2, "job", 0.1, 5),
    ]


def test_without_sizes_and_rates_they_are_the_jobs(cells):
    assert places(cells("job")) == [(4, "job", 0.1, 5)]


def test_fewer_workers_than_the_jobs_minimum_lower_it(cells):
    (cell,) = cells("job", workers=(2,))
    assert cell.job.spec.workers.min_replicas == 2


def test_every_worker_keeps_its_batch_by_default(cells):
    assert {cell.batch_size for cell in cells("job", workers=(2, 8))} == {8}


def test_a_fixed_total_batch_is_divided_and_so_is_the_time_of_a_step(cells):
    planned = cells("job", workers=(2, 8), fixed_total_batch=True)
    assert [cell.batch_size for cell in planned] == [16, 4]
    means = [cell.job.spec.simulation.compute_seconds.mean for cell in planned]
    assert means == [2.0, 0.5]


@pytest.mark.parametrize("workers", [5, 64])
def test_a_total_batch_that_does_not_divide_is_refused(cells, workers):
    with pytest.raises(InvalidComparison, match=f"32 .* does not divide among {workers} workers"):
        cells("job", workers=(workers,), fixed_total_batch=True)


def test_a_total_batch_is_refused_where_step_times_of_other_batches_are_unknown(cells):
    traced = {"simulation": {"computeSeconds": {"mean": None, "trace": "steps.txt"}}}
    with pytest.raises(InvalidComparison, match=r"computeSeconds\.mean instead"):
        cells("job", traced, fixed_total_batch=True)


def test_a_target_from_outside_goes_before_the_jobs(cells):
    (cell,) = cells("job", target=("loss", 0.5))
    target = cell.job.spec.training.target
    assert (target.metric, target.value) == ("loss", 0.5)


def test_a_comparison_without_a_target_is_refused(cells):
    with pytest.raises(InvalidComparison, match=r"--target accuracy=0\.9"):
        cells("job", {"training": {"target": None}})


def test_what_is_wrong_with_a_cell_is_told_of_its_place_in_the_grid(cells):
    with pytest.raises(InvalidJob, match=r"pull-gossip:perod=4 with 8 workers: .*unknown key"):
        cells("pull-gossip:perod=4", workers=(8,))


def test_what_the_user_has_set_is_told_of_the_users_option(load):
    with pytest.raises(InvalidJob, match=r"--set training\.batchSize=0: "):
        load()(["training.batchSize=0"])


@pytest.mark.parametrize(
    ("setting", "grid"),
    [
        ("spec.workers.replicas=8", {}),
        ("spec.training.seed=9", {}),
        ("spec.training.target.value=0.7", {}),
        ("spec.training.optimizer.learningRate=0.3", {"learning_rates": (0.1, 0.2)}),
    ],
)
def test_a_contestant_that_leaves_its_place_in_the_grid_is_refused(cells, setting, grid):
    path = setting.partition("=")[0].removesuffix(".value")
    with pytest.raises(InvalidComparison, match=f"{path} is the same for all strategies"):
        cells(f"job:{setting}", **grid)


def test_a_contestant_may_have_a_learning_rate_of_its_own_where_none_are_swept(cells):
    rates = [cell.learning_rate for cell in cells("job,job:spec.training.optimizer.learningRate=1")]
    assert rates == [0.1, 1.0]


def test_cells_with_the_same_job_and_mode_have_the_same_key_and_others_do_not(cells):
    simulated = cells("job,pull-gossip,all-reduce", seeds=2)
    real = cells("job", mode="real")
    keys = [cell.key for cell in simulated]
    assert keys[:2] == keys[2:4]
    assert len({*keys, real[0].key}) == 5


def test_a_key_depends_on_everything_in_the_job(cells):
    keys = {
        cells("job", changes)[0].key
        for changes in (
            {},
            {"evaluation": {"every": "2s"}},
            {"training": {"model": {"args": {"hidden": [9]}}}},
            {"training": {"target": {"value": 0.81}}},
        )
    }
    assert len(keys) == 4


@pytest.mark.parametrize(
    ("budget", "ratio"),
    [
        ({"stepsPerWorker": 10}, 4.0),
        ({"seconds": 10}, 4.0),
        ({"samples": 1000}, 1.0),
        ({"epochs": 3}, 1.0),
    ],
)
def test_weights_follow_the_steps_of_all_workers(cells, budget, ratio):
    small, large = cells("job", {"training": {"budget": budget}}, workers=(2, 8))
    assert large.weight / small.weight == pytest.approx(ratio)


def test_smaller_batches_of_a_fixed_total_take_more_steps_for_the_same_samples(cells):
    budget = {"training": {"budget": {"samples": 1000}}}
    small, large = cells("job", budget, workers=(2, 8), fixed_total_batch=True)
    assert large.weight / small.weight == pytest.approx(4.0)
