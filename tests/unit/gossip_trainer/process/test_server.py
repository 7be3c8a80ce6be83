import math
from datetime import timedelta
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from gossip_api.names import Role
from gossip_trainer.membership.roster import Endpoint, Roster
from gossip_trainer.process import join
from gossip_trainer.process.server import _initial, _kept_path
from gossip_trainer.process.shard_keeper import keep
from gossip_trainer.progress.shared import JobProgress
from gossip_trainer.replica.flat import FlatModel
from gossip_trainer.transport.wire import SnapshotHeader

NOW = 5000.0


class Client:
    """Every worker's model is all 2."""

    def __init__(self, tell):
        self._tell = tell

    def status(self, address, *, expect):
        self._tell(expect)

    def pull(self, address, into, *, expect):
        into[:] = torch.full((len(into) // 4,), 2.0).numpy().tobytes()
        return SnapshotHeader(step=17, samples=5)


@pytest.fixture
def model():
    return FlatModel(nn.Linear(15, 2))


@pytest.fixture
def begin(model, tmp_path, monkeypatch):
    """Return a function that gives the part (the vector's second half) a server begins with."""
    monkeypatch.setattr(join, "RETRY_SECONDS", 0.001)
    size = model.layout.size
    part = slice(size // 2, size)
    task = SimpleNamespace(
        name="server-1-0",
        model=model,
        job=SimpleNamespace(
            spec=SimpleNamespace(run_policy=SimpleNamespace(start_deadline=timedelta(seconds=0.01)))
        ),
    )

    def begin(
        *,
        incarnation=0,
        fresh=True,
        workers=1,
        kept_at=None,
        job="uid",
        began=math.inf,
        saved=None,
    ):
        progress, theirs = JobProgress(lambda: 0.0), JobProgress(lambda: 0.0)
        if math.isfinite(began):
            theirs.begin(0, 0, began)
        environment = SimpleNamespace(
            output=tmp_path, job_uid="uid", incarnation=incarnation, fresh=fresh
        )
        if kept_at is not None:
            kept = torch.full((part.stop - part.start,), 7.0)
            keep(_kept_path(environment, task), job, kept, version=3, at=kept_at)
        roster = Roster(
            (
                Endpoint(Role.SERVER, 1, incarnation, "10.0.0.2", 1),
                *(Endpoint(Role.WORKER, rank, 0, "10.0.0.1", rank) for rank in range(workers)),
            )
        )
        network = SimpleNamespace(
            endpoint=Endpoint(Role.SERVER, 1, incarnation, "10.0.0.2", 1),
            client=Client(lambda member: progress.receive(member, theirs.send())),
            progress=progress,
            roster=lambda: roster,
        )
        shell = SimpleNamespace(
            environment=environment, standing=SimpleNamespace(started=NOW), events=None
        )
        memory = None
        if saved is not None:
            memory = SimpleNamespace(recall=lambda size, dtype: torch.full((size,), saved))
        return _initial(shell, task, network, part, memory)[part]

    begin.seed = model.vector.clone()[part]
    return begin


def holds(part, value):
    return torch.equal(part, torch.full_like(part, value))


def test_a_fresh_server_begins_with_the_seeds_model(begin):
    assert torch.equal(begin(), begin.seed)


def test_one_restarted_before_it_kept_anything_finds_that_the_job_had_begun(begin):
    assert holds(begin(began=NOW - 1), 2.0)
    assert torch.equal(begin(began=NOW + 1), begin.seed)


def test_one_restarted_in_its_pod_goes_on_with_what_it_kept_a_moment_ago(begin):
    assert holds(begin(kept_at=NOW - 12), 7.0)


def test_what_was_kept_too_long_ago_is_worth_less_than_the_workers_mean(begin):
    assert holds(begin(kept_at=NOW - 61), 2.0)


def test_what_seems_to_be_from_the_future_is_not_trusted(begin):
    assert holds(begin(kept_at=NOW + 5), 2.0)


def test_one_that_had_trained_never_begins_from_the_seed_again_whatever_it_is_told(begin):
    with pytest.raises(join.MembershipError, match="does not begin from scratch"):
        begin(kept_at=NOW - 1000, fresh=True, workers=0)


def test_a_replacement_begins_with_the_workers_mean(begin):
    assert holds(begin(incarnation=1, fresh=False), 2.0)
    assert holds(begin(incarnation=1, fresh=True), 2.0)


def test_a_replacement_without_workers_begins_from_the_seed_only_where_nobody_has_trained(begin):
    assert torch.equal(begin(incarnation=1, fresh=True, workers=0), begin.seed)
    with pytest.raises(join.MembershipError):
        begin(incarnation=1, fresh=False, workers=0)


def test_a_shard_added_to_a_running_job_is_the_workers_mean(begin):
    assert holds(begin(incarnation=0, fresh=False), 2.0)


def test_the_part_of_another_job_is_not_taken(begin):
    assert not holds(begin(kept_at=NOW - 12, job="another"), 7.0)


def test_where_nobody_trains_one_goes_on_with_what_it_saved(begin):
    assert holds(begin(saved=5.0, fresh=False, incarnation=3, workers=0), 5.0)
    assert holds(begin(saved=5.0, fresh=True), 5.0)


def test_while_others_train_their_mean_is_worth_more_than_what_was_saved(begin):
    assert holds(begin(saved=5.0, began=NOW - 100, incarnation=1), 2.0)


def test_what_was_kept_a_moment_ago_is_worth_more_than_what_was_saved(begin):
    assert holds(begin(saved=5.0, kept_at=NOW - 12), 7.0)
