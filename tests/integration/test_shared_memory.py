"""Snapshots in shared memory between real processes."""

import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
import torch
import yaml

from gossip_api.loading import parse_job
from gossip_api.names import Role
from gossip_trainer.algorithms.effects import Fetch
from gossip_trainer.launch.local_run import RunOptions, run_locally
from gossip_trainer.membership.roster import Endpoint
from gossip_trainer.observability.event_log import EventTail
from gossip_trainer.observability.events import Progress
from gossip_trainer.progress.shared import JobProgress
from gossip_trainer.replica.memory import memory_of
from gossip_trainer.training.exchange import Dispatch, Exchange, Lost
from gossip_trainer.transport.client import PeerClient
from gossip_trainer.transport.errors import PeerLost
from gossip_trainer.transport.identity import Identity
from gossip_trainer.transport.limits import Limits
from gossip_trainer.transport.shared import SharedClient

pytestmark = pytest.mark.heavy

SAMPLE = Path(__file__).parents[2] / "manifests" / "samples" / "digits.yaml"
NUM_VALUES = 260_000  # about 1 MB
OWNER = f"""
import sys, time, torch
from torch import nn
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.progress.shared import JobProgress
from gossip_trainer.replica.layout import layout_of
from gossip_trainer.replica.snapshots import Snapshots
from gossip_trainer.transport.identity import Identity
from gossip_trainer.transport.shared import SharedMemory
from gossip_trainer.transport.wire import SnapshotHeader

torch.set_num_threads(1)
layout = layout_of(nn.Linear({NUM_VALUES}, 1, bias=False))
identity = Identity("job-1", "worker-0-0", "layout-1", layout.num_bytes)
progress = JobProgress(time.monotonic)
progress.begin(0, 0, time.time())
memory = SharedMemory(identity, progress, num_buffers=3)
snapshots = Snapshots(layout, memory)
live, step = torch.zeros(layout.size), 0

def publish(finished=False):
    global step
    step += 1
    live.fill_(step)
    progress.count(1)
    assert snapshots.publish(Iterate(live), SnapshotHeader(step, step, finished=finished))

publish()
print(memory.path, layout.num_bytes, flush=True)
{{then}}
"""
PUBLISH_AS_FAST_AS_POSSIBLE = "while True: publish()"
PUBLISH_ONCE = "sys.stdin.read()"
FINISH = "publish(finished=True); print(flush=True); sys.stdin.read()"


@pytest.fixture
def start():
    """Return a function that starts an owner and gives it, its path and its vector's bytes."""
    owners = []

    def start(then):
        owner = subprocess.Popen(
            [sys.executable, "-c", OWNER.replace("{then}", then)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        owners.append(owner)
        path, num_bytes = owner.stdout.readline().split()
        return owner, path, int(num_bytes)

    yield start
    for owner in owners:
        owner.kill()
        owner.communicate(timeout=10)


def reader(num_bytes, *, progress=None, window_seconds=2.0):
    identity = Identity("job-1", "worker-1-0", "layout-1", num_bytes)
    limits = Limits(window_seconds=window_seconds)
    return SharedClient(identity, progress or JobProgress(time.monotonic), limits=limits)


def test_no_snapshot_is_torn_however_fast_its_owner_publishes(start):
    _, path, num_bytes = start(PUBLISH_AS_FAST_AS_POSSIBLE)
    progress = JobProgress(time.monotonic)
    client = reader(num_bytes, progress=progress)
    vector = torch.zeros(num_bytes // 4)
    memory, newest, read, given_up = memory_of(vector), 0, 0, 0
    deadline = time.monotonic() + 2.0
    while time.monotonic() < deadline:
        try:
            header = client.pull(path, memory, expect="worker-0-0")
        except PeerLost:
            given_up += 1
            continue
        low, high = torch.aminmax(vector)
        assert low == high == header.step
        assert header.step >= newest
        newest, read = header.step, read + 1
        assert progress.samples <= header.step  # never more than was counted when it was published
    # Any number of attempts within a read may fail; of the reads one in ten may be given up, which
    # is far more than happens even if a core has to be shared.
    assert read >= 100
    assert given_up <= read / 10
    assert progress.samples == newest > 100


def pull_for_ever(client, path, into):
    while True:
        client.pull(path, into, expect="worker-0-0")


def test_the_memory_of_a_killed_owner_is_read_for_the_window_and_no_longer(start):
    owner, path, num_bytes = start(PUBLISH_AS_FAST_AS_POSSIBLE)
    client = reader(num_bytes, window_seconds=0.5)
    into = memoryview(bytearray(num_bytes))
    client.pull(path, into, expect="worker-0-0")

    owner.send_signal(signal.SIGKILL)
    owner.wait(timeout=10)
    killed = time.monotonic()
    with pytest.raises(PeerLost, match="published nothing for") as caught:
        pull_for_ever(client, path, into)

    assert caught.value.reason == "stalled"
    assert time.monotonic() - killed < 2.0
    with pytest.raises(PeerLost, match="cannot be opened"):  # the system has freed it
        reader(num_bytes).pull(path, into, expect="worker-0-0")


def test_a_fetch_from_a_killed_owner_ends_as_a_lost_one(start):
    owner, path, num_bytes = start(PUBLISH_ONCE)
    owner.send_signal(signal.SIGKILL)
    owner.wait(timeout=10)
    identity = Identity("job-1", "worker-1-0", "layout-1", num_bytes)
    network = PeerClient(identity, JobProgress(time.monotonic))
    vector = torch.zeros(num_bytes // 4)
    peer = Endpoint(Role.WORKER, 0, 0, "127.0.0.1", 1, memory=path)  # nobody listens at port 1
    news = threading.Event()
    exchange = Exchange(
        network,
        vector,
        locate=lambda _party: peer,
        started=1,
        on_news=news.set,
        shared=reader(num_bytes),
    )
    with closing(exchange):
        exchange.begin([Dispatch(Fetch(0), 0, 0, peer)])
        assert news.wait(10.0)
        outcome = exchange.collect()
    assert isinstance(outcome, Lost)
    assert outcome.suspect


def test_the_final_snapshot_of_an_owner_is_read_for_as_long_as_it_lives(start):
    owner, path, num_bytes = start(FINISH)
    owner.stdout.readline()
    client = reader(num_bytes, window_seconds=1e-9)
    vector = torch.zeros(num_bytes // 4)
    assert client.pull(path, memory_of(vector), expect="worker-0-0").finished
    assert not (vector - 2.0).any()


def run(tmp_path, **options):
    """Train two workers for a moment; return the last progress of each."""
    document = yaml.safe_load(SAMPLE.read_text())
    document["spec"]["workers"]["replicas"] = 2
    document["spec"]["training"]["budget"] = {"samples": 30_000}
    document["spec"]["evaluation"]["every"] = "10m"
    out = tmp_path / "run"
    job = parse_job(yaml.safe_dump(document))
    outcome = run_locally(job, RunOptions(out=out, **options), lambda _records: None)
    assert outcome.state == "succeeded"
    records = list(EventTail(out / "events.jsonl").new())
    last = {record.source: record for record in records if isinstance(record, Progress)}
    assert len(last) == 2
    return list(last.values())


def test_workers_of_a_local_run_exchange_through_memory_and_hardly_serve(tmp_path):
    before = set(Path("/dev/shm").iterdir())
    workers = run(tmp_path)
    received = sum(worker.received_bytes for worker in workers)
    assert sum(worker.exchanges for worker in workers) > 100
    assert sum(worker.sent_bytes for worker in workers) < received / 2
    assert set(Path("/dev/shm").iterdir()) == before


def test_told_not_to_share_memory_they_serve_every_exchange(tmp_path):
    workers = run(tmp_path, shared_memory=False)
    received = sum(worker.received_bytes for worker in workers)
    assert sum(worker.sent_bytes for worker in workers) >= received > 0


def test_with_mutual_tls_they_serve_every_exchange_too(tmp_path, credentials):
    workers = run(tmp_path, tls=credentials)
    received = sum(worker.received_bytes for worker in workers)
    assert sum(worker.sent_bytes for worker in workers) >= received > 0
