"""What metrics cost a training step: CPU time with them less that without, step by step.

One worker trains a linear layer over 16 inputs and takes in a peer's model at every step, from an
exchange in memory. Blocks of steps with and without metrics take turns, so that both see the same
machine. Beside it, what a page costs when somebody asks for it, and the norm of a large gradient.

Usage: PYTHONPATH=tests/support OMP_NUM_THREADS=1 python tests/bench/bench_metrics.py
"""

import statistics
import time
from types import SimpleNamespace

import torch
from lone_worker import LoneWorker, build_worker, gossip

from gossip_api.names import Member, Role
from gossip_trainer.observability.phase_clock import Phase
from gossip_trainer.process.metrics.page import MetricsPage
from gossip_trainer.process.metrics.worker import WorkerMetrics
from gossip_trainer.process.standing import Standing
from gossip_trainer.training.observer import Observer, Observers
from gossip_trainer.training.reports import EventObserver

BLOCKS, BLOCK_STEPS = 41, 200
PAGES = 100
NORM_ELEMENTS = 25_600_000  # ResNet-50


class Nowhere:
    """An event log that keeps nothing."""

    def emit(self, record: object) -> None:
        """Forget it."""


def watched_by(worker: LoneWorker, observer: Observer) -> None:
    """Let `observer` watch the worker's boundary."""
    worker.boundary._observer = worker.boundary._effects._observer = observer


def build(page: MetricsPage | None) -> LoneWorker:
    """Build a worker that reports to the event log and, if there is one, to a page of metrics."""
    worker = build_worker(gossip(overlap=False))
    worker.at_wait = lambda _seconds: worker.exchange.arrive(worker.x, step=0)
    reports = EventObserver(Nowhere(), SimpleNamespace(sent_bytes=0), worker.optimizer)
    watched_by(worker, reports)
    if page is None:
        return worker
    metrics = WorkerMetrics(page.instruments, lambda: worker.model.gradient, lambda: 0)
    page.add(metrics)
    watched_by(worker, Observers(reports, metrics))
    metrics.phases.start(Phase.DATA)

    def arrive(_seconds: float) -> None:
        worker.exchange.arrive(worker.x, step=0)
        metrics.exchange_ended(0.001)

    worker.at_wait = metrics.phases.waiting(arrive)
    return worker


def step_microseconds(worker: LoneWorker) -> float:
    """Return the CPU time of a step, over a block."""
    began = time.process_time()
    for _ in range(BLOCK_STEPS):
        worker.step(0.0)
        worker.exchange.begun.clear()
    return (time.process_time() - began) / BLOCK_STEPS * 1e6


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    page = MetricsPage(Role.WORKER, Standing(Member(Role.WORKER, 0, 0)))
    without, with_metrics = build(None), build(page)
    blocks = [(step_microseconds(without), step_microseconds(with_metrics)) for _ in range(BLOCKS)]
    costs = sorted(after - before for before, after in blocks)
    plain = statistics.median(before for before, _ in blocks)
    middle = (
        f"middle half of {BLOCKS} blocks: {costs[BLOCKS // 4]:.1f} to {costs[-BLOCKS // 4]:.1f}"
    )
    print(f"a step's bookkeeping without metrics: {plain:.1f} us")
    print(f"metrics on top of that: {statistics.median(costs):.1f} us ({middle})")
    began = time.process_time()
    for _ in range(PAGES):
        page.write()
    print(f"a page: {(time.process_time() - began) / PAGES * 1e3:.1f} ms")
    gradient = torch.ones(NORM_ELEMENTS)
    began = time.process_time()
    torch.linalg.vector_norm(gradient).item()
    print(f"norm of {NORM_ELEMENTS:,} numbers: {(time.process_time() - began) * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
