"""A worker's place in its job: it serves there, is known to the others, and can reach them."""

import os
import threading
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass

import torch

from gossip_api.environment import ProcessEnvironment
from gossip_trainer.data.sampler import ShardSampler
from gossip_trainer.observability.event_log import EventSink
from gossip_trainer.observability.events import Started
from gossip_trainer.process.arrival import began_before, is_late
from gossip_trainer.process.lobby import Lobby
from gossip_trainer.process.metrics.page import MetricsPage
from gossip_trainer.process.metrics.worker import WorkerMetrics
from gossip_trainer.process.network import Network, fenced_progress, open_network
from gossip_trainer.process.standing import Prospect, Standing
from gossip_trainer.process.task import Task
from gossip_trainer.replica.snapshots import NUM_BUFFERS, Snapshots
from gossip_trainer.training.exchange import Exchange
from gossip_trainer.training.letters import MailboxLetters
from gossip_trainer.training.news import News
from gossip_trainer.training.rank import batches_of
from gossip_trainer.transport.mailbox import Mailbox
from gossip_trainer.transport.shared import SharedClient, share_memory

MAX_LETTERS = 8  # messages of peers that may lie here at once, each of the model's size
LATE_SECONDS = 1.0  # those that begin within so long begin together


@dataclass(frozen=True, slots=True)
class Seat:
    """A worker's place in its job: what it was given, and its ways to the others."""

    environment: ProcessEnvironment
    task: Task
    events: EventSink
    standing: Standing
    metrics: WorkerMetrics
    news: News
    snapshots: Snapshots
    network: Network
    exchange: Exchange
    letters: MailboxLetters
    batches: ShardSampler
    leaving: threading.Event  # set once the worker was told to go

    @property
    def is_first(self) -> bool:
        """Whether nobody has trained yet, as far as the one who started this process knows."""
        return self.environment.fresh and not began_before(self.environment, self.task.name)

    def is_late(self) -> bool:
        """Tell whether others have trained without this worker.

        Where all wait for all they begin together, however long one of them takes to notice.
        """
        environment, now = self.environment, time.time()
        if environment.incarnation > 0 or not self.is_first:
            return is_late(self.network, now)
        together = environment.start_with >= self.task.job.spec.workers.replicas
        return is_late(self.network, self.standing.started if together else now - LATE_SECONDS)


def take_seat(
    stack: ExitStack,
    environment: ProcessEnvironment,
    task: Task,
    events: EventSink,
    standing: Standing,
    *,
    page: MetricsPage,
    news: News,
    lobby: Lobby | None,
) -> Seat:
    """Serve and become known."""
    batches = batches_of(
        task.job.spec, environment.rank, task.dataset
    )  # first: a share may be empty
    progress = fenced_progress(task.fence)
    memory, reader = None, None
    if environment.shared_memory:
        memory = share_memory(task.identity, progress, num_buffers=NUM_BUFFERS)
        reader = SharedClient(task.identity, progress)
    if memory is not None:
        stack.enter_context(closing(memory))
    if lobby is not None:
        progress.notices = lobby.board
    snapshots = Snapshots(task.model.layout, memory)
    mailbox = Mailbox(task.identity.num_bytes, capacity=MAX_LETTERS, on_news=news.ring)
    network = open_network(
        environment,
        task,
        snapshots,
        progress=progress,
        mailbox=mailbox,
        store_port=0 if lobby is None else lobby.store.port,
        full=None if lobby is None else lobby.offer,
        memory=memory.path if memory is not None else "",
    )
    stack.enter_context(closing(network))
    standing.look_at(Prospect(progress, task.meter, network.num_peers))
    standing.phase = "Waiting"
    host, port = network.endpoint.address
    status = environment.status or ""
    events.emit(Started(pid=os.getpid(), address=f"{host}:{port}", status=status))
    metrics = WorkerMetrics(
        page.instruments, lambda: task.model.gradient, lambda: network.server.sent_bytes
    )
    page.add(metrics)
    exchange = Exchange(
        network.client,
        torch.zeros_like(task.model.vector),
        locate=lambda party: network.roster().find(party),
        started=time.time_ns(),
        on_news=news.ring,
        on_ended=metrics.exchange_ended,
        shared=reader,
    )
    stack.enter_context(closing(exchange))
    return Seat(
        environment=environment,
        task=task,
        events=events,
        standing=standing,
        metrics=metrics,
        news=news,
        snapshots=snapshots,
        network=network,
        exchange=exchange,
        letters=MailboxLetters(mailbox, task.model.layout.dtype),
        batches=batches,
        leaving=threading.Event(),
    )
