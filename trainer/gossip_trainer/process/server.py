"""A server from its start to its end.

It holds one part of the model, changes it as workers' messages come, and serves it until the
evaluator has read the result and lets it go.
"""

import os
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from torch import Tensor

from gossip_api.environment import ProcessEnvironment
from gossip_trainer.algorithms.effects import Shard
from gossip_trainer.algorithms.shards import shard_slices
from gossip_trainer.algorithms.view import make_view
from gossip_trainer.compression.codec import message_bytes, message_dtype
from gossip_trainer.membership.roster import Roster
from gossip_trainer.observability.events import Finished, Started
from gossip_trainer.process.arrival import (
    Wanted,
    arrive,
    is_late,
    is_restarted_in_place,
)
from gossip_trainer.process.centre_memory import CentreMemory, open_centre_memory
from gossip_trainer.process.join import average_the_workers
from gossip_trainer.process.metrics.server import ServerMetrics
from gossip_trainer.process.network import Network, fenced_progress, open_network
from gossip_trainer.process.shard_keeper import FRESH_SECONDS, ShardKeeper, find_kept
from gossip_trainer.process.shell import Shell
from gossip_trainer.process.standing import Prospect, Standing
from gossip_trainer.process.task import Task
from gossip_trainer.replica.layout import Layout
from gossip_trainer.replica.snapshots import Pin, Snapshots
from gossip_trainer.training.letters import MailboxLetters
from gossip_trainer.training.news import News
from gossip_trainer.training.schedules import rate_of
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


def run_server(shell: Shell, task: Task) -> None:
    """Serve one shard of the job."""
    environment, events, standing = shell.environment, shell.events, shell.standing
    metrics = shell.metrics
    metrics.describe(task.job.spec)
    layout, spec = task.model.layout, task.job.spec
    part = shard_slices(layout.size, spec.num_shards)[Shard(environment.rank)]
    progress, news = fenced_progress(task.fence), News()
    mailbox = Mailbox(
        message_bytes(spec.strategy.compression, part.stop - part.start, layout.dtype),
        capacity=spec.workers.replicas + SPARE_LETTERS,
        on_news=news.ring,
    )
    source = CentreSource(layout, part)
    with ExitStack() as stack:
        network = stack.enter_context(
            closing(open_network(environment, task, source, progress=progress, mailbox=mailbox))
        )
        standing.look_at(Prospect(progress, task.meter, network.num_peers))
        standing.phase = "Joining"
        host, port = network.endpoint.address
        status = environment.status or ""
        events.emit(Started(pid=os.getpid(), address=f"{host}:{port}", status=status))
        memory = open_centre_memory(stack, shell, task, source.pin)
        initial = _initial(shell, task, network, part, memory)
        rate = rate_of(spec, task.meter.total_epochs)
        served = ServedShard(
            spec,
            Shard(environment.rank),
            layout=layout,
            initial=initial,
            learning_rate=lambda: rate(
                task.meter.epoch(progress.samples), max(1, len(network.roster().workers()))
            ),
            letters=MailboxLetters(mailbox, message_dtype(spec.strategy.compression, layout.dtype)),
            view=make_view(0, {}),
            events=events if environment.trace else None,
        )
        metrics.add(ServerMetrics(metrics.instruments, served, lambda: network.server.sent_bytes))
        source.open(served)
        standing.phase = "Serving"
        if is_restarted_in_place(environment):
            path = _kept_path(environment, task)
            stack.enter_context(closing(ShardKeeper(path, environment.job_uid, source.pin)))
        look = (lambda: None) if memory is None else memory.look
        released = _serve(served, source, network, news, standing, look)
        standing.phase = "Finished"
        events.emit(Finished(step=served.version, samples=0, released=released))


def _kept_path(environment: ProcessEnvironment, task: Task) -> Path:
    return environment.output / f".{task.name}.part.safetensors"


def _initial(
    shell: Shell, task: Task, network: Network, part: slice, memory: CentreMemory | None
) -> Tensor:
    """Return the whole vector to begin with, of which only the own part matters.

    A restarted process takes what it kept a moment ago. One that takes a lost one's place, or kept
    its part too long ago, asks the workers. Where nobody trains it takes what it saved, and only in
    a job that nobody ever trained the seed's.
    """
    environment, started = shell.environment, shell.standing.started
    layout, size = task.model.layout, part.stop - part.start
    kept = find_kept(_kept_path(environment, task), environment.job_uid, size, layout.dtype)
    if kept is not None and 0 <= started - kept.at <= FRESH_SECONDS:
        return _with_part(task.model.vector, part, kept.vector)
    deadline = task.job.spec.run_policy.start_deadline
    late = partial(is_late, network, started)
    arrive(network, Wanted(workers=0, servers=0), deadline, late=late)
    saved = None if memory is None else memory.recall(size, layout.dtype)
    if saved is not None and not late():
        return _with_part(task.model.vector, part, saved)
    is_first = environment.fresh and kept is None and not late()
    if is_first and environment.incarnation == 0:
        return task.model.vector
    mean = average_the_workers(network, layout.size, layout.dtype, deadline, else_none=is_first)
    return task.model.vector if mean is None else mean


def _with_part(vector: Tensor, part: slice, own: Tensor) -> Tensor:
    whole = vector.clone()
    whole[part] = own
    return whole


def _serve(  # noqa: PLR0917 - what it goes between
    served: ServedShard,
    source: CentreSource,
    network: Network,
    news: News,
    standing: Standing,
    look: Callable[[], None],
) -> bool:
    """Take in messages until released, with a `look` at the time; False if all others are gone."""
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
        look()
        if is_news:
            continue
        news.wait(float("inf"))
        now = time.monotonic()
        heard = now if roster.workers() else max(heard, progress.evaluator_heard)
        if now - heard > ALONE_SECONDS:
            return False
    return True
