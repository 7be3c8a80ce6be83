"""A worker's place in its job: it serves there, is known to the others, and can reach them."""

import os
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial

from gossip_api.environment import ProcessEnvironment
from gossip_trainer.compression.codec import message_bytes, message_dtype
from gossip_trainer.observability.event_log import EventSink
from gossip_trainer.observability.events import Started
from gossip_trainer.process.arrival import began_before, is_late
from gossip_trainer.process.lobby import Lobby
from gossip_trainer.process.metrics.worker import WorkerMetrics
from gossip_trainer.process.network import Network, fenced_progress, open_network
from gossip_trainer.process.shell import Shell
from gossip_trainer.process.standing import Prospect, Standing
from gossip_trainer.process.task import Task
from gossip_trainer.replica.placement import link_of
from gossip_trainer.replica.snapshots import NUM_BUFFERS, Snapshots
from gossip_trainer.training.exchange import Exchange
from gossip_trainer.training.links import Letters, Sender
from gossip_trainer.training.news import News
from gossip_trainer.training.on_device import exchange_over, letters_over
from gossip_trainer.transport.mailbox import Mailbox
from gossip_trainer.transport.shared import SharedClient, share_memory
from gossip_trainer.transport.wire import Wanted

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
    averages: Snapshots | None  # of the model's moving average, if the job has one
    network: Network
    exchange: Sender
    letters: Letters
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
        if not self.is_first:
            return is_late(self.network, now)
        together = environment.start_with >= self.task.job.spec.workers.replicas
        return is_late(self.network, self.standing.started if together else now - LATE_SECONDS)


def take_seat(
    stack: ExitStack, shell: Shell, task: Task, *, news: News, lobby: Lobby | None
) -> Seat:
    """Serve and become known."""
    environment, events, standing, page = (
        shell.environment,
        shell.events,
        shell.standing,
        shell.metrics,
    )
    progress = fenced_progress(task.fence)
    memory, reader = None, None
    if environment.shared_memory:
        memory = share_memory(task.identity, progress, num_buffers=NUM_BUFFERS)
        reader = SharedClient(task.identity, progress)
    if memory is not None:
        stack.enter_context(closing(memory))
    if lobby is not None:
        progress.notices = lobby.board
    link = link_of(task.model.vector.device)
    stack.enter_context(closing(link))
    snapshots = Snapshots(task.model.layout, memory, link=link)
    averages = _averages(stack, task)
    layout, compression = task.model.layout, task.job.spec.strategy.compression
    mailbox, letters = letters_over(
        link,
        partial(_mailbox, message_bytes(compression, layout.size, layout.dtype)),
        message_dtype(compression, layout.dtype),
        news.ring,
    )
    network = open_network(
        environment,
        task,
        snapshots,
        progress=progress,
        mailbox=mailbox,
        store_port=0 if lobby is None else lobby.store.port,
        others={Wanted.FULL: None if lobby is None else lobby.offer, Wanted.AVERAGE: averages},
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

    def exchange_of(on_news: Callable[[], None]) -> Exchange:
        return Exchange(
            network.client,
            link.host_vector(layout.size, layout.dtype),
            locate=lambda party: network.roster().find(party),
            started=time.time_ns(),
            on_news=on_news,
            on_ended=metrics.exchange_ended,
            shared=reader,
        )

    exchange = exchange_over(link, exchange_of, news.ring)
    stack.enter_context(closing(exchange))
    return Seat(
        environment=environment,
        task=task,
        events=events,
        standing=standing,
        metrics=metrics,
        news=news,
        snapshots=snapshots,
        averages=averages,
        network=network,
        exchange=exchange,
        letters=letters,
        leaving=threading.Event(),
    )


def _averages(stack: ExitStack, task: Task) -> Snapshots | None:
    """Return where the moving average is published; its copies have a link of their own."""
    if task.job.spec.training.moving_average is None:
        return None
    link = link_of(task.model.vector.device)
    stack.enter_context(closing(link))
    return Snapshots(task.model.layout, link=link)


def _mailbox(max_bytes: int, on_news: Callable[[], None]) -> Mailbox:
    return Mailbox(max_bytes, capacity=MAX_LETTERS, on_news=on_news)
