"""A server from its start to its end.

It holds one part of the model, changes it as workers' messages come, and serves it until the
evaluator has read the result and lets it go.
"""

import os
import threading
import time
from contextlib import closing
from dataclasses import replace

from torch import Tensor

from gossip_api.environment import ProcessEnvironment
from gossip_trainer.algorithms.effects import Shard
from gossip_trainer.algorithms.shards import shard_slices
from gossip_trainer.algorithms.view import make_view
from gossip_trainer.membership.roster import Roster
from gossip_trainer.observability.events import EventSink, Finished, Started
from gossip_trainer.process.join import average_the_workers
from gossip_trainer.process.network import Network, open_network
from gossip_trainer.process.task import Task
from gossip_trainer.progress.shared import JobProgress
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


def run_server(environment: ProcessEnvironment, task: Task, events: EventSink) -> None:
    """Serve one shard of the job."""
    layout, spec = task.model.layout, task.job.spec
    part = shard_slices(layout.size, spec.num_shards)[Shard(environment.rank)]
    progress, news = JobProgress(time.monotonic), News()
    mailbox = Mailbox(
        (part.stop - part.start) * layout.dtype.itemsize,
        capacity=spec.workers.replicas + SPARE_LETTERS,
        on_news=news.ring,
    )
    source = CentreSource(layout, part)
    with closing(
        open_network(environment, task.identity, source, progress=progress, mailbox=mailbox)
    ) as network:
        host, port = network.endpoint.address
        events.emit(Started(pid=os.getpid(), address=f"{host}:{port}"))
        initial = _initial(environment, task, network)
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
        source.open(served)
        released = _serve(served, source, network, news)
        events.emit(Finished(step=served.version, samples=0, released=released))


def _initial(environment: ProcessEnvironment, task: Task, network: Network) -> Tensor:
    """Return the whole vector to begin with; one that takes a lost one's place asks the workers."""
    if environment.incarnation == 0:
        return task.model.vector
    layout, deadline = task.model.layout, task.job.spec.run_policy.start_deadline
    return average_the_workers(network, layout.size, layout.dtype, deadline)


def _serve(served: ServedShard, source: CentreSource, network: Network, news: News) -> bool:
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
        if is_news:
            continue
        news.wait(float("inf"))
        now = time.monotonic()
        heard = now if roster.workers() else max(heard, progress.evaluator_heard)
        if now - heard > ALONE_SECONDS:
            return False
    return True
