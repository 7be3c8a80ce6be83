import itertools
import threading
from datetime import timedelta
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from gossip_api.names import Role
from gossip_api.training import Target
from gossip_trainer.data.dataset import Batch, InMemoryDataset
from gossip_trainer.errors import RunError
from gossip_trainer.membership.roster import Endpoint, Roster
from gossip_trainer.observability.event_log import EventLog, EventTail
from gossip_trainer.observability.events import Evaluation, Stopping
from gossip_trainer.process import evaluator as module
from gossip_trainer.process.evaluator import Evaluator
from gossip_trainer.progress.budget import BudgetMeter
from gossip_trainer.progress.ledger import StopReason
from gossip_trainer.progress.shared import JobProgress
from gossip_trainer.replica.flat import FlatModel
from gossip_trainer.transport.errors import PeerLost
from gossip_trainer.transport.wire import SnapshotHeader


class Time:
    """Both clocks; a sleep passes at once."""

    def __init__(self):
        self.now = 100.0
        self.at_sleep = lambda: None

    def monotonic(self):
        return self.now

    def time(self):
        return 5000.0 + self.now

    def sleep(self, seconds):
        self.now += max(seconds, 0.01)
        assert self.now < 10_000, "the evaluator would never end"
        self.at_sleep()


class Client:
    """Worker r's model is all r. `finished` and `lost` are sets of ranks that tests change."""

    def __init__(self, time):
        self._time = time
        self.finished, self.lost, self.pull_seconds = set(), set(), 0.0
        self.weights, self.asked = {}, []

    def status(self, address, *, expect):
        self.asked.append(expect)
        if (rank := address[1]) in self.lost:
            raise PeerLost("unreachable", f"{expect} is away")
        finished, weight = rank in self.finished, self.weights.get(rank, 1.0)
        return SnapshotHeader(step=10 + rank, samples=rank, finished=finished, weight=weight)

    def pull(self, address, into, *, expect):
        self._time.now += self.pull_seconds
        header = self.status(address, expect=expect)
        into[:] = torch.full((len(into) // 4,), float(address[1])).numpy().tobytes()
        return header


@pytest.fixture
def time(monkeypatch):
    time = Time()
    monkeypatch.setattr(module, "time", time)
    return time


@pytest.fixture
def client(time):
    return Client(time)


@pytest.fixture
def progress(time):
    progress = JobProgress(time.monotonic)
    progress.begin(0, 0, time.time())
    return progress


@pytest.fixture
def records(tmp_path):
    """What a reader of the event log finds in it."""
    return lambda: list(EventTail(tmp_path / "events.jsonl").new())


@pytest.fixture
def make(time, client, progress, tmp_path):
    log = EventLog(tmp_path / "events.jsonl", "evaluator-0-0")

    def make(ranks=(1, 3), *, shards=(), num_shards=0, target=None, every=1.0, keeper=None):
        examples = Batch(torch.eye(4), torch.tensor([0, 1, 2, 3]))
        dataset = InMemoryDataset(examples, examples, num_classes=4)
        spec = SimpleNamespace(
            evaluation=SimpleNamespace(every=timedelta(seconds=every), sample=8, workers=1),
            training=SimpleNamespace(seed=1, target=target, moving_average=None),
            strategy=SimpleNamespace(type="Gossip"),
            num_shards=num_shards,
        )
        task = SimpleNamespace(
            job=SimpleNamespace(spec=spec, metadata=SimpleNamespace(name="mnist")),
            name="evaluator-0-0",
            dataset=dataset,
            model=FlatModel(nn.Linear(4, 4)),
            meter=BudgetMeter(None, epoch_samples=100, steps_samples=1),
        )
        workers = [Endpoint(Role.WORKER, r, 0, "10.0.0.1", r) for r in ranks]
        servers = [Endpoint(Role.SERVER, s, 0, "10.0.0.1", 100 + s) for s in shards]
        roster = Roster((*workers, *servers))
        network = SimpleNamespace(roster=lambda: roster, client=client, progress=progress)
        environment = SimpleNamespace(output=tmp_path, incarnation=0)
        shell = SimpleNamespace(environment=environment, events=log, standing=SimpleNamespace())
        return Evaluator(shell, task, network, keeper)

    yield make
    log.close()


def test_it_evaluates_until_all_workers_have_finished(make, client, time, records):
    sleeps = itertools.count()

    def at_sleep():
        if next(sleeps) == 20:
            client.finished = {1, 3}

    time.at_sleep = at_sleep
    make().watch()
    evaluations = records()
    assert len(evaluations) >= 5
    first = evaluations[0]
    assert (first.averaged, first.min_step, first.max_step, first.final) == (2, 11, 13, False)
    assert [model.member for model in first.workers] == ["worker-1-0"]
    # Vectors of 20 values, all 1 and all 3; the gaps of the layout stay what the peers sent.
    assert first.relative_consensus_distance == pytest.approx(0.5)


def test_a_met_target_ends_the_job(make, progress, client):
    client.finished = {1}
    evaluator = make(target=Target(metric="loss", value=100.0))
    evaluator._evaluate()
    assert (progress.stop.reason, progress.stop.by) == (StopReason.TARGET, "evaluator-0-0")


def test_a_target_that_is_not_met_ends_nothing(make, progress):
    make(target=Target(metric="accuracy", value=0.9))._evaluate()
    assert progress.stop is None


def test_the_end_of_the_job_is_told_once(make, progress, client, time, records):
    progress.end(StopReason.BUDGET, "worker-1-0", at=5100.0)
    sleeps = itertools.count()
    time.at_sleep = lambda: client.finished.update({1, 3} if next(sleeps) > 5 else ())
    make().watch()
    (told,) = (record for record in records() if isinstance(record, Stopping))
    assert (told.reason, told.by) == ("budget", "worker-1-0")


def test_the_result_is_the_average_of_all_final_models_saved_and_then_released(
    make, client, progress, records, tmp_path
):
    client.finished = {1, 3}
    make().conclude()
    saved = load_file(tmp_path / "model.safetensors")
    assert torch.equal(saved["bias"], torch.full((4,), 2.0))
    assert [record.final for record in records() if isinstance(record, Evaluation)] == [True]
    assert progress.released


def test_without_any_final_model_there_is_no_result(make, client):
    client.lost = {1, 3}
    with pytest.raises(RunError, match="no final model could be read"):
        make().conclude()


def test_a_worker_silent_for_30_seconds_is_not_waited_for(make, client, time):
    client.finished, client.lost = {1}, {3}
    begin = time.now
    make(every=10_000.0).watch()
    assert 30.0 < time.now - begin < 40.0


def test_a_worker_that_answers_is_waited_for_even_if_an_evaluation_takes_long(make, client, time):
    client.finished, client.pull_seconds = {1}, 20.0
    evaluator = make(every=100.0)
    time.at_sleep = lambda: client.finished.add(3) if time.now > 400.0 else None
    evaluator.watch()
    assert client.finished == {1, 3}


def test_an_evaluation_takes_as_long_as_reading_the_models_does(make, client, records):
    client.pull_seconds = 20.0
    make()._evaluate()
    (evaluation,) = (record for record in records() if isinstance(record, Evaluation))
    assert evaluation.took == pytest.approx(40.0)


def test_an_evaluation_before_any_worker_began_can_be_read_from_the_log(make, records, time):
    # Workers publish the initial model before they begin; the first beginning is not known then.
    evaluator = make()
    evaluator._network.progress = JobProgress(time.monotonic)
    evaluator._evaluate()
    assert all(isinstance(record, Evaluation) for record in records())


def test_where_there_are_servers_their_centre_is_the_result(make, client, records, tmp_path):
    client.finished = {1, 3}
    make(shards=(0,), num_shards=1).conclude()
    saved = load_file(tmp_path / "model.safetensors")
    assert torch.equal(saved["bias"], torch.full((4,), 100.0))
    (evaluation,) = [record for record in records() if isinstance(record, Evaluation)]
    assert evaluation.averaged == 2  # the workers' distance is told all the same


def test_while_workers_train_a_missing_server_costs_one_evaluation(make, client, records):
    client.lost = {101}
    make(shards=(0, 1), num_shards=2)._evaluate()
    assert not [record for record in records() if isinstance(record, Evaluation)]


def test_the_final_centre_is_waited_for_while_a_server_is_being_replaced(
    make, client, records, time
):
    client.finished, client.lost = {1, 3}, {101}
    evaluator = make(shards=(0, 1), num_shards=2)
    time.at_sleep = lambda: client.lost.discard(101) if time.now > 110 else None
    evaluator.conclude()
    (evaluation,) = [record for record in records() if isinstance(record, Evaluation)]
    assert evaluation.final


def test_without_the_final_centre_there_is_no_result(make, client):
    client.finished, client.lost = {1, 3}, {101}
    with pytest.raises(RunError, match="no final model could be read"):
        make(shards=(0, 1), num_shards=2).conclude()


def test_workers_are_let_go_before_the_servers_they_may_still_need(make, client, progress, time):
    client.finished = {1, 3}
    evaluator, asked = make(shards=(0,), num_shards=1), []

    def at_sleep():
        if progress.released:
            asked.append(client.asked[-1])
            gone = {3: {1, 3}, 6: {100}}
            client.lost |= gone.get(len(asked), set())

    time.at_sleep = at_sleep
    evaluator.conclude()
    assert [name.partition("-")[0] for name in asked] == ["worker"] * 3 + ["server"] * 3


def test_the_average_counts_push_sums_models_by_their_weights(make, client, tmp_path):
    client.finished, client.weights = {1, 3}, {1: 0.5, 3: 1.5}
    make().conclude()
    saved = load_file(tmp_path / "model.safetensors")
    torch.testing.assert_close(saved["bias"], torch.full((4,), (0.5 * 1.0 + 1.5 * 3.0) / 2.0))


class SlowKeeper:
    """Storage that is done when the workers have been asked so many times meanwhile."""

    def __init__(self, client, times):
        self.client, self.times = client, times

    def earlier_seconds(self, began):
        return 0.0

    def keep(self, *_evaluated):
        self._take_time()

    def keep_final(self, *_evaluated):
        self._take_time()
        return "where it lies"

    def _take_time(self):
        asked, pause = len(self.client.asked), threading.Event()
        for _ in range(10_000):
            if len(self.client.asked) >= asked + self.times:
                return
            pause.wait(0.001)
        pytest.fail("nobody was asked")


def test_workers_hear_of_it_however_long_the_storage_takes(make, client, time, monkeypatch):
    monkeypatch.setattr(module, "TOUCH_SECONDS", 0.01)
    client.finished = {1, 3}
    evaluator = make(keeper=SlowKeeper(client, times=6))
    evaluator.watch()
    evaluator.conclude()
    assert evaluator._standing.model == "where it lies"
