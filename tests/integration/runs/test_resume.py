"""A run that was killed goes on from what its processes saved last."""

from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from gossip_api.loading import parse_job
from gossip_trainer.errors import RunError
from gossip_trainer.launch.local_run import RunOptions, run_locally
from gossip_trainer.observability.event_log import EventTail
from gossip_trainer.observability.events import Began, Evaluation, Finished, Saved

pytestmark = [pytest.mark.jobs, pytest.mark.timeout(240)]

CHECKPOINT = {"storage": {"claimName": "any"}, "every": "1s", "keep": 2}


class Killed(Exception):  # noqa: N818 - what happened
    """The launcher and all its processes were killed."""


def records(out):
    return list(EventTail(out / "events.jsonl").new())


def run_until_killed(job, out, *, saves):
    """Run a job and kill all its processes once each worker has saved so many times."""
    saved = []

    def watch(new):
        saved.extend(r.source for r in new if isinstance(r, Saved) and "worker" in r.source)
        workers = job.spec.workers.replicas
        if len(set(saved)) == workers and all(saved.count(each) >= saves for each in set(saved)):
            raise Killed

    with pytest.raises(Killed):
        run_locally(job, RunOptions(out=out), watch)


def resume(job, out):
    outcome = run_locally(job, RunOptions(out=out, resume=True), lambda _new: None)
    assert outcome.state == "succeeded", outcome.reason
    return records(out)


@pytest.fixture
def job_of(digits, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))

    def job_of(**changes):
        return parse_job(yaml.safe_dump(digits(**{"checkpoint": CHECKPOINT, **changes})))

    return job_of


def steps(number):
    return {"stepsPerWorker": number}


def paced(network, seconds):
    """Return a model that leaves time to save, once a second, however fast the machine."""
    return {"name": f"paced:paced_{network}", "args": {"seconds": seconds}}


def tear_newest(folder):
    *_, newest = sorted(folder.glob("step-*/tensors.safetensors"))
    newest.write_bytes(newest.read_bytes()[:-100])


def same_model(one, other):
    first, second = load_file(one / "model.safetensors"), load_file(other / "model.safetensors")
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


@pytest.mark.parametrize(
    ("workers", "strategy"),
    [(1, {"type": "Gossip"}), (2, {"type": "AllReduce"})],
    ids=["one worker", "all-reduce"],
)
def test_where_nothing_is_left_to_chance_it_ends_as_if_nothing_had_happened_to_the_bit(
    job_of, tmp_path, workers, strategy
):
    job = job_of(
        strategy=strategy,
        security={"mutualTLS": False},
        workers={"replicas": workers},
        training__model=paced("cnn", 0.003 * workers),
        training__optimizer__learningRate=0.02,
        training__movingAverage={"decay": 0.99, "everySteps": 3},
        training__budget=steps(1200 // workers),
    )
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert run_locally(job, RunOptions(out=whole), lambda _new: None).state == "succeeded"
    run_until_killed(job, killed, saves=2)
    if workers > 1:
        tear_newest(killed / "checkpoints" / "worker-1")  # so the two saved last at different steps
    resumed = resume(job, killed)
    begun = [record for record in resumed if isinstance(record, Began)]
    assert all(record.step > 0 for record in begun)
    assert "checkpoint" in {record.model_from for record in begun}
    assert same_model(whole, killed)


@pytest.mark.parametrize(
    "strategy",
    [{"type": "Gossip"}, {"type": "ElasticAveraging"}, {"type": "LocalSGD"}],
    ids=lambda strategy: strategy["type"],
)
def test_where_workers_do_not_wait_each_goes_on_from_its_own_state(job_of, tmp_path, strategy):
    job = job_of(
        strategy=strategy,
        security={"mutualTLS": False},
        workers={"replicas": 2},
        training__model=paced("mlp", 0.001),
        training__budget={"samples": 120_000},
    )
    run_until_killed(job, tmp_path / "run", saves=1)
    before = records(tmp_path / "run")
    resumed = resume(job, tmp_path / "run")
    begun = {record.source: record for record in resumed if isinstance(record, Began)}
    assert {"worker-0-1", "worker-1-1"} <= begun.keys()
    assert all(record.step > 0 for record in begun.values())
    (final,) = [r for r in resumed if isinstance(r, Evaluation) and r.final]
    assert final.accuracy > 0.9
    # What was counted before the kill counts on, and so does the time.
    assert final.job_samples >= 120_000
    last = max((r for r in before if isinstance(r, Evaluation)), key=lambda r: r.seconds)
    assert final.seconds > last.seconds
    own = [record for record in begun.values() if record.model_from == "checkpoint"]
    assert own
    assert all(record.earlier_seconds > 0 for record in own)


@pytest.mark.parametrize("strategy", ["Gossip", "AllReduce"])
def test_a_run_that_is_given_more_to_do_goes_on_from_its_end(job_of, tmp_path, strategy):
    def job(steps_per_worker):
        return job_of(
            strategy={"type": strategy},
            security={"mutualTLS": False},
            workers={"replicas": 2},
            checkpoint=CHECKPOINT | {"every": "1h"},
            training__budget=steps(steps_per_worker),
        )

    out = tmp_path / "run"
    assert run_locally(job(50), RunOptions(out=out), lambda _new: None).state == "succeeded"

    resumed = resume(job(80), out)

    begun = [record for record in resumed if isinstance(record, Began)]
    assert {r.step for r in begun if r.model_from == "checkpoint"} == {50}
    assert all(record.step >= 50 for record in begun)  # a late one copies one that trains
    ended = [r for r in resumed if isinstance(r, Finished) and "worker" in r.source]
    assert [r.step for r in ended] == [80, 80]


def test_a_run_that_saved_nothing_is_not_resumed_from_scratch(job_of, tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(RunError, match="no worker has saved anything"):
        run_locally(job_of(), RunOptions(out=tmp_path / "run", resume=True), lambda _new: None)


def test_a_run_that_still_goes_on_is_not_resumed_beside_itself(job_of, tmp_path):
    job, out, refused = job_of(training__budget={"samples": 20_000}), tmp_path / "run", []

    def watch(new):
        if any(isinstance(record, Began) for record in new) and not refused:
            with pytest.raises(RunError, match="still goes on") as refusal:
                resume(job, out)
            refused.append(refusal)

    outcome = run_locally(job, RunOptions(out=out), watch)

    assert refused
    assert outcome.state == "succeeded", outcome.reason
    assert (out / "model.safetensors").exists()
