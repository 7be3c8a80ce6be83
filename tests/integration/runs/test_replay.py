"""Real runs, done again from their logs to the bit: simulation and process run one algorithm."""

import os
import signal
from pathlib import Path

import msgspec
import pytest
import torch
import yaml

from gossip_api.loading import parse_job
from gossip_trainer.errors import RunError
from gossip_trainer.launch.local_run import RunOptions, run_locally
from gossip_trainer.observability.events import (
    Began,
    Called,
    Event,
    Finished,
    Left,
    Progress,
    Record,
    Started,
)
from gossip_trainer.replay.replay import replay

pytestmark = [pytest.mark.jobs, pytest.mark.timeout(240)]

NUM_WORKERS = 4
STEPS = 300


def gossip(exchange: str, **settings) -> dict:
    return {"type": "Gossip", "gossip": {"exchange": exchange, **settings}}


def elastic(**settings) -> dict:
    return {"type": "ElasticAveraging", "elasticAveraging": settings}


def parameter_server(**settings) -> dict:
    return {"type": "ParameterServer", "parameterServer": settings}


def noloco(period: int) -> dict:
    return {"type": "LocalSGD", "localSGD": {"averaging": "Gossip", "period": period}}


STRATEGIES = {
    "pull gossip": (gossip("Pull"), 0),
    "pull gossip that waits": (gossip("Pull", overlap=False), 0),
    "push gossip": (gossip("Push"), 0),
    "pairwise": (gossip("Pairwise"), 0),
    "pairwise that waits": (gossip("Pairwise", overlap=False), 0),
    "push-sum": (gossip("PushSum"), 0),
    "elastic averaging": (elastic(period=2), 1),
    "elastic averaging that waits for two servers": (elastic(period=2, overlap=False), 2),
    "a parameter server": (parameter_server(), 1),
    "two parameter servers, overlapped and bounded": (
        parameter_server(overlap=True, maxStaleness=4),
        2,
    ),
    "NoLoCo": (noloco(10), 0),
}


def document(digits, strategy: dict, shards: int, **changes) -> dict:
    job = digits(strategy=strategy, training__budget={"stepsPerWorker": STEPS}, **changes)
    if shards:
        job["spec"]["server"] = {"shards": shards}
    return job


@pytest.fixture(autouse=True)
def _threads():
    """A replay sets torch's number of threads; give it back."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_run_comes_out_the_same_to_the_bit(run_job, digits, name):
    strategy, shards = STRATEGIES[name]

    run = run_job(document(digits, strategy, shards), trace=True)

    assert run.outcome.state == "succeeded", run.outcome.reason
    found = replay(run.out)
    assert found.mismatches == ()
    assert len(found.members) == NUM_WORKERS + shards
    # After every step of every worker, at its end, and after every message that a server took in.
    workers = [record for record in run.of(Finished) if record.source.startswith("worker")]
    served = [r for r in run.of(Called) if r.call == "message" and r.source.startswith("server")]
    assert found.published == sum(w.step + 1 for w in workers) + len(served)
    assert sum(exchanged(run.records).values()) > 0


def test_so_does_one_whose_models_travelled_over_tcp(run_job, digits):
    run = run_job(document(digits, gossip("Pull"), 0), trace=True, shared_memory=False)

    assert replay(run.out).mismatches == ()


class Killer:
    """Kills a worker once every worker has taken some steps."""

    def __init__(self, victim: str, steps: int) -> None:
        self._victim = victim
        self._steps = steps
        self._pids: dict[str, int] = {}
        self._progress: dict[str, int] = {}

    def __call__(self, records: list[Record]) -> None:
        for record in records:
            if isinstance(record, Started):
                self._pids[record.source] = record.pid
            if isinstance(record, Progress):
                self._progress[record.source] = record.step
        ready = [name for name, step in self._progress.items() if step >= self._steps]
        if len(ready) == NUM_WORKERS and self._victim in self._pids:
            os.kill(self._pids.pop(self._victim), signal.SIGKILL)


KILLED = {
    "pull gossip": (gossip("Pull"), 0),
    "pairwise": (gossip("Pairwise"), 0),
    "push-sum": (gossip("PushSum"), 0),
    "elastic averaging": (elastic(period=1), 1),
}


@pytest.mark.parametrize("name", KILLED)
def test_so_does_one_of_which_a_worker_was_killed(run_job, digits, name):
    strategy, shards = KILLED[name]
    job = document(digits, strategy, shards)
    job["spec"]["training"]["budget"] = {"seconds": 4}

    run = run_job(job, Killer("worker-2-0", 20), trace=True)

    assert run.outcome.state == "succeeded", run.outcome.reason
    assert [left.member for left in run.of(Left) if left.exit_code] == ["worker-2-0"]
    found = replay(run.out)
    assert found.mismatches == ()
    assert "worker-2-0" in found.members


def test_so_does_one_of_which_a_worker_was_killed_and_replaced(run_job, digits):
    job = document(digits, gossip("Pull"), 0)
    job["spec"]["training"]["budget"] = {"seconds": 10}

    run = run_job(job, Killer("worker-1-0", 20), trace=True, replace_lost=True)

    assert run.outcome.state == "succeeded", run.outcome.reason
    (began,) = [record for record in run.of(Began) if record.source == "worker-1-1"]
    assert began.model_from.startswith("worker-")
    found = replay(run.out)
    assert found.mismatches == ()
    assert "worker-1-1" in found.members


@pytest.fixture(scope="module")
def pulled(tmp_path_factory) -> Path:
    """The directory of a traced run of pull gossip."""
    out = tmp_path_factory.mktemp("pulled") / "run"
    samples = Path(__file__).parents[3] / "manifests" / "samples"
    job = yaml.safe_load((samples / "digits.yaml").read_text())
    job["spec"]["training"]["budget"] = {"stepsPerWorker": STEPS}
    outcome = run_locally(
        parse_job(yaml.safe_dump(job)), RunOptions(out=out, trace=True), lambda _records: None
    )
    assert outcome.state == "succeeded", outcome.reason
    return out


def tamper(run: Path, out: Path, chosen, change) -> Called:
    """Copy a run with one record of its log changed: the middle one of those chosen."""
    decoder, encoder = msgspec.json.Decoder(Record), msgspec.json.Encoder()
    records = [decoder.decode(line) for line in (run / "events.jsonl").read_bytes().splitlines()]
    places = [
        i for i, record in enumerate(records) if isinstance(record, Called) and chosen(record)
    ]
    place = places[len(places) // 2]
    old = records[place]
    records[place] = msgspec.structs.replace(old, **change(old))
    out.mkdir()
    (out / "job.yaml").write_bytes((run / "job.yaml").read_bytes())
    (out / "events.jsonl").write_bytes(b"".join(encoder.encode(r) + b"\n" for r in records))
    return old


def test_one_digit_of_a_digest_that_was_changed_is_found(pulled, tmp_path):
    def change(record: Called) -> dict:
        return {"digest": record.digest[:-1] + ("0" if record.digest[-1] != "0" else "1")}

    old = tamper(pulled, tmp_path / "run", lambda r: r.call == "published", change)

    (mismatch,) = replay(tmp_path / "run").mismatches
    assert (mismatch.member, mismatch.step) == (old.source, old.step)


def test_one_digit_of_a_learning_rate_that_was_changed_is_found(pulled, tmp_path):
    old = tamper(
        pulled,
        tmp_path / "run",
        lambda r: r.call == "published" and not r.finished,
        lambda r: {"learning_rate": r.learning_rate * 1.001},
    )

    first = next(m for m in replay(tmp_path / "run").mismatches if m.member == old.source)
    assert first.step == old.step


def test_another_model_than_the_one_that_was_read_is_found(pulled, tmp_path):
    old = tamper(
        pulled,
        tmp_path / "run",
        lambda r: r.call == "answer" and r.step > 1 and not r.finished,
        lambda r: {"step": r.step - 1},
    )

    assert any(m.member == old.source for m in replay(tmp_path / "run").mismatches)


def test_a_model_that_nobody_published_is_found(pulled, tmp_path):
    tamper(
        pulled,
        tmp_path / "run",
        lambda r: r.call == "answer" and not r.finished,
        lambda _r: {"step": 10 * STEPS},
    )

    with pytest.raises(RunError, match="nobody sent"):
        replay(tmp_path / "run")


def test_a_run_that_was_not_traced_says_how_to_trace_it(run_job, digits):
    job = digits(training__budget={"stepsPerWorker": 5})

    run = run_job(job)

    with pytest.raises(RunError, match="--trace"):
        replay(run.out)


def exchanged(records: list[Event]) -> dict[str, int]:
    """Return how many exchanges each worker completed or heard of."""
    return {
        record.source: record.exchanges + record.heard
        for record in records
        if isinstance(record, Progress)
    }
