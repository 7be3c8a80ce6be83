"""A server from its start to its end.

It holds one part of the model, changes it as workers' messages come, and serves it until the
evaluator has read the result and lets it go.
"""

import os
import threading
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from torch import Tensor

from gossip_api.environment import ProcessEnvironment
from gossip_trainer.algorithms.effects import Shard
from gossip_trainer.algorithms.shards import shard_slices
from gossip_trainer.algorithms.view import make_view
from gossip_trainer.membership.roster import Roster
from gossip_trainer.observability.event_log import EventSink
from gossip_trainer.observability.events import Finished, Started
from gossip_trainer.process.arrival import (
    Wanted,
    arrive,
    is_late,
    is_restarted_in_place,
)
from gossip_trainer.process.join import average_the_workers
from gossip_trainer.process.metrics.page import MetricsPage
from gossip_trainer.process.metrics.server import ServerMetrics
from gossip_trainer.process.network import Network, fenced_progress, open_network
from gossip_trainer.process.shard_keeper import FRESH_SECONDS, ShardKeeper, find_kept
from gossip_trainer.process.standing import Prospect, Standing
from gossip_trainer.process.task import Task
from gossip_trainer.replica.layout import Layout
from gossip_trainer.replica.snapshots import Pin, Snapshots
from gossip_trainer.training.letters import MailboxLetters
from gossip_trainer.training.loop import rate_of
from gossip_trainer.training.news import News
from gossip_trainer.training.served_shard import ServedShard
from gossip_trainer.transport.mailbox import Mailbox
from gossip_trainer.transport.wire import SnapshotHeader

ALONE_SECONDS = 60.0  # without a sign of workers and evaluator for so long a server goes
SPARE_LETTERS = 2


class CentreSource:
    """Serves the centre as it is when somebody asks: a copy is made only then.

    `open` is called by the server's own thread, `pin` by serving threads; whoever changes the
    centre holds `lock`.
    """

    def __init__(self, layout: Layout, part: slice) -> None:
        self._snapshots = Snapshots(
            replace(layout, trainable=(), others=(), size=part.stop - part.start)
        )
        self._served: ServedShard | None = None
        self._published = -1
        self.lock = threading.Lock()

    def open(self, served: ServedShard) -> None:
        """Serve `served` from now on."""
        with self.lock:
            self._served = served

    def pin(self) -> Pin | None:
        """Hold a copy of the centre; None before there is one."""
        with self.lock:
            served = self._served
            if served is None:
                return None
            if served.version != self._published:
                header = SnapshotHeader(step=served.version, samples=0)
                # With every buffer read by somebody slow the copy before is served once more.
                if self._snapshots.publish(served.iterate, header):
                    self._published = served.version
            return self._snapshots.pin()


def run_server(
    environment: ProcessEnvironment,
    task: Task,
    events: EventSink,
    standing: Standing,
    metrics: MetricsPage,
) -> None:
    """Serve one shard of the job."""
    metrics.describe(task.job.spec)
    layout, spec = task.model.layout, task.job.spec
    part = shard_slices(layout.size, spec.num_shards)[Shard(environment.rank)]
    progress, news = fenced_progress(task.fence), News()
    mailbox = Mailbox(
        (part.stop - part.start) * layout.dtype.itemsize,
        capacity=spec.workers.replicas + SPARE_LETTERS,
        on_news=news.ring,
    )
    source = CentreSource(layout, part)
    with closing(
        open_network(environment, task, source, progress=progress, mailbox=mailbox)
    ) as network:
        standing.look_at(Prospect(progress, task.meter, network.num_peers))
        standing.phase = "Joining"
        host, port = network.endpoint.address
        status = environment.status or ""
        events.emit(Started(pid=os.getpid(), address=f"{host}:{port}", status=status))
        initial = _initial(environment, task, network, part, standing.started)
        rate = rate_of(spec.training, task.meter.total_epochs)
        served = ServedShard(
            spec,
            Shard(environment.rank),
            layout=layout,
            initial=initial,
            learning_rate=lambda: rate(task.meter.epoch(progress.samples)),
            letters=MailboxLetters(mailbox, layout.dtype),
            view=make_view(0, {}),
            events=events if environment.trace else None,
        )
        metrics.add(ServerMetrics(metrics.instruments, served, lambda: network.server.sent_bytes))
        source.open(served)
        standing.phase = "Serving"
        with ExitStack() as stack:
            if is_restarted_in_place(environment):
                path = _kept_path(environment, task)
                stack.enter_context(closing(ShardKeeper(path, environment.job_uid, source.pin)))
            released = _serve(served, source, network, news, standing)
        standing.phase = "Finished"
        events.emit(Finished(step=served.version, samples=0, released=released))


def _kept_path(environment: ProcessEnvironment, task: Task) -> Path:
    return environment.output / f".{task.name}.part.safetensors"


def _initial(
    environment: ProcessEnvironment, task: Task, network: Network, part: slice, started: float
) -> Tensor:
    """Return the whole vector to begin with, of which only the own part matters.

    A restarted process takes what it kept a moment ago. One that takes a lost one's place, or kept
    its part too long ago, asks the workers. Only where nobody has trained it is the seed's.
    """
    layout, size = task.model.layout, part.stop - part.start
    kept = find_kept(_kept_path(environment, task), environment.job_uid, size, layout.dtype)
    if kept is not None and 0 <= started - kept.at <= FRESH_SECONDS:
        initial = task.model.vector.clone()
        initial[part] = kept.vector
        return initial
    deadline = task.job.spec.run_policy.start_deadline
    late = partial(is_late, network, started)
    arrive(network, Wanted(workers=0, servers=0), deadline, late=late)
    is_first = environment.fresh and kept is None and not late()
    if is_first and environment.incarnation == 0:
        return task.model.vector
    mean = average_the_workers(network, layout.size, layout.dtype, deadline, else_none=is_first)
    return task.model.vector if mean is None else mean


def _serve(
    served: ServedShard,
    source: CentreSource,
    network: Network,
    news: News,
    standing: Standing,
) -> bool:
    """Take in messages until released; False if everybody else is gone."""
    seen, version, progress = Roster(), 0, network.progress
    heard = time.monotonic()
    while not progress.released:
        if (roster := network.roster()) is not seen:
            seen, version = roster, version + 1
            members = {rank: e.incarnation for rank, e in roster.workers().items()}
            with source.lock:
                served.look_around(make_view(version, members))
        with source.lock:
            is_news = served.take_in()
        standing.step = served.version
        if is_news:
            continue
        news.wait(float("inf"))
        now = time.monotonic()
        heard = now if roster.workers() else max(heard, progress.evaluator_heard)
        if now - heard > ALONE_SECONDS:
            return False
    return True
