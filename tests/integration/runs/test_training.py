"""Whole runs that go well: they converge, end as asked, and leave a model behind."""

import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy

from gossip_api.loading import load_job
from gossip_trainer.data.registry import load_dataset
from gossip_trainer.data.sampler import ShardSampler, Share
from gossip_trainer.models.registry import build_model
from gossip_trainer.observability.events import Began, Finished, Progress, Stopping

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(240)]

ALL_REDUCE = {"type": "AllReduce", "allReduce": {"allowPlaintext": True}}


def document_of(path):
    return yaml.safe_load(path.read_text())


def test_the_digits_sample_reaches_95_percent_and_leaves_its_model(run_job, samples):
    run = run_job(document_of(samples / "digits.yaml"))

    assert run.outcome.state == "succeeded"
    assert run.final.accuracy >= 0.95
    assert run.final.averaged == 4
    assert (run.out / "model.safetensors").exists()
    assert all(record.released for record in run.of(Finished))


@pytest.mark.parametrize("sample", ["fashion-mnist", "fashion-mnist-all-reduce"])
def test_the_fashion_mnist_samples_reach_87_percent(run_job, samples, sample):
    run = run_job(document_of(samples / f"{sample}.yaml"))

    print(sample, f"{run.final.accuracy:.4f} after {run.final.seconds:.1f} s")
    assert run.outcome.state == "succeeded"
    assert run.final.accuracy >= 0.87


def skewed(digits, *, period):
    """Each of four workers sees only about a quarter of the classes."""
    return digits(
        training__data={"name": "digits", "sharding": "ByLabel"},
        training__optimizer={"name": "sgd", "learningRate": 0.05},
        training__schedule={"name": "constant"},
        training__budget={"stepsPerWorker": 4000},
        strategy__gossip={"period": period, "overlap": False},
        evaluation__workers=4,
    )


def test_gossip_teaches_every_worker_what_only_others_have_seen(run_job, digits):
    gossiping = run_job(skewed(digits, period=1)).final
    alone = run_job(skewed(digits, period=1_000_000)).final

    for name, final in [("gossip", gossiping), ("alone", alone)]:
        print(name, f"{final.accuracy:.3f}", [f"{w.accuracy:.3f}" for w in final.workers])
    assert gossiping.accuracy >= 0.90
    assert len(gossiping.workers) == 4
    assert all(worker.accuracy >= 0.90 for worker in gossiping.workers)
    assert all(worker.accuracy <= 0.40 for worker in alone.workers)
    assert alone.accuracy < gossiping.accuracy


def plain_training(job, num_workers, steps):
    """Train without the product: batches of all shards together, torch's own loop and SGD."""
    training = job.spec.training
    dataset = load_dataset(training.data, training.seed)
    model = build_model(
        training.model,
        input_shape=dataset.input_shape,
        num_classes=dataset.num_classes,
        seed=training.seed,
    )
    optimizer = torch.optim.SGD(
        model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4
    )
    samplers = [
        ShardSampler(
            dataset.train_targets,
            training.batch_size,
            share=Share(rank, num_workers),
            sharding="Partition",
            seed=training.seed,
        )
        for rank in range(num_workers)
    ]
    base = {}
    for _ in range(steps):
        inputs, targets = dataset.train_batch(torch.cat([next(s) for s in samplers]))
        optimizer.zero_grad()
        cross_entropy(model(inputs), targets).backward()
        optimizer.step()
    for name, parameter in model.named_parameters():
        momentum = optimizer.state[parameter]["momentum_buffer"]
        base[name] = torch.add(parameter.detach(), momentum, alpha=0.9 * 0.1)
    return base


def short(digits, tmp_path, **changes):
    document = digits(
        training__budget={"stepsPerWorker": 60}, training__schedule={"name": "constant"}, **changes
    )
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(document))
    return document, load_job(path)


def test_one_worker_alone_trains_exactly_like_plain_sgd(run_job, digits, tmp_path):
    document, job = short(digits, tmp_path, workers__replicas=1)

    run = run_job(document, threads=1)

    trained = load_file(run.out / "model.safetensors")
    torch.set_num_threads(1)  # as the worker had; matrix products round by the number of threads
    expected = plain_training(job, num_workers=1, steps=60)
    for name, tensor in expected.items():
        assert torch.equal(trained[name], tensor), name


def test_all_reduce_equals_one_worker_with_all_batches_together(run_job, digits, tmp_path):
    document, job = short(digits, tmp_path, strategy=ALL_REDUCE)

    run = run_job(document)

    trained = load_file(run.out / "model.safetensors")
    assert run.final.consensus_distance == 0.0
    for name, tensor in plain_training(job, num_workers=4, steps=60).items():
        torch.testing.assert_close(trained[name], tensor, rtol=1e-4, atol=1e-5)


def test_all_reduce_stops_at_the_same_step_everywhere(run_job, digits):
    run = run_job(digits(strategy=ALL_REDUCE, training__budget={"epochs": 5}))

    assert run.outcome.state == "succeeded"
    assert {record.step for record in run.of(Finished)} == {113}  # ceil(5 * 1437 / 64)


def test_the_budget_is_met_and_hardly_exceeded(run_job, digits):
    budget = 30_000
    run = run_job(digits(training__budget={"samples": budget}))

    samples = sum(record.samples for record in run.of(Finished))
    assert budget <= samples <= budget * 1.1
    assert {record.reason for record in run.of(Stopping)} == {"budget"}


def test_a_budget_of_seconds_ends_the_job_in_time(run_job, digits):
    run = run_job(digits(training__budget={"seconds": 3}))

    assert 3.0 <= run.final.seconds < 4.0


def test_the_target_ends_the_job_early(run_job, digits):
    run = run_job(
        digits(
            training__target={"metric": "accuracy", "value": 0.9},
            training__budget={"epochs": 100_000},
            evaluation__every="500ms",
        )
    )

    assert run.outcome.state == "succeeded"
    assert {record.reason for record in run.of(Stopping)} == {"target"}
    assert run.final.accuracy >= 0.85


def test_a_job_can_run_over_mutual_tls(run_job, digits, credentials):
    run = run_job(digits(training__budget={"epochs": 20}), tls=credentials)

    assert run.outcome.state == "succeeded"
    assert max(record.exchanges for record in run.of(Progress)) > 0
    assert max(record.sent_bytes for record in run.of(Progress)) > 0
    assert {record.model_from for record in run.of(Began)} == {"seed"}


def test_without_shared_memory_all_models_travel_over_tcp(run_job, digits):
    run = run_job(digits(training__budget={"epochs": 20}), shared_memory=False)

    newest = {record.source: record for record in run.of(Progress)}.values()
    received = sum(record.received_bytes for record in newest)
    assert received > 0
    assert sum(record.sent_bytes for record in newest) >= received


def test_batch_norm_statistics_are_averaged_with_the_model(run_job, digits):
    run = run_job(
        digits(
            training__model={"name": "resnet18"},
            training__budget={"stepsPerWorker": 6},
            workers__replicas=2,
            evaluation__workers=0,
        )
    )

    trained = load_file(run.out / "model.safetensors")
    assert trained["bn1.running_mean"].abs().sum() > 0
    assert trained["bn1.running_var"].min() > 0
