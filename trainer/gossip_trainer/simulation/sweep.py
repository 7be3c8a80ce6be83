"""Several simulations side by side, each in a process of its own.

A simulation's result depends on its job alone, so neither the order nor the number of processes
matters.
"""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor, wait
from queue import Empty
from typing import TYPE_CHECKING

from gossip_trainer.simulation.simulator import simulate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future
    from multiprocessing.queues import Queue

    from gossip_api.job import GossipTrainingJob
    from gossip_trainer.simulation.result import Result

    Watch = Callable[[int, float], None]
    News = Queue[tuple[int, float]]

POLL_SECONDS = 0.2


def sweep(jobs: Sequence[GossipTrainingJob], watch: Watch, *, processes: int) -> list[Result]:
    """Simulate all jobs, at most `processes` at a time, and return their results in order.

    `watch` is called with a job's index and how much of it is done, in [0, 1].
    """
    if min(len(jobs), processes) == 1:
        return [_in_turn(index, job, watch) for index, job in enumerate(jobs)]
    # A forked child would share torch's threads with its parent, which none of them survives.
    context = multiprocessing.get_context("spawn")
    news: News = context.Queue()
    with ProcessPoolExecutor(
        min(len(jobs), processes), mp_context=context, initializer=_begin, initargs=(news,)
    ) as pool:
        futures = [pool.submit(_in_process, index, job) for index, job in enumerate(jobs)]
        try:
            _follow(futures, news, watch)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        return [future.result() for future in futures]


def available_processes() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not everywhere
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _follow(futures: Sequence[Future[Result]], news: News, watch: Watch) -> None:
    """Pass news on until all have ended; raise the first error at once."""
    pending = set(futures)
    while pending:
        ended, pending = wait(pending, timeout=POLL_SECONDS)
        _pass_on(news, watch)
        for future in ended:
            future.result()
            watch(futures.index(future), 1.0)


def _pass_on(news: News, watch: Watch) -> None:
    try:
        while True:
            watch(*news.get_nowait())
    except Empty:
        return


def _in_turn(index: int, job: GossipTrainingJob, watch: Watch) -> Result:
    result = simulate(job, lambda done: watch(index, done))
    watch(index, 1.0)
    return result


_told_to: list[News] = []  # of a child process: where it tells how far it is


def _begin(news: News) -> None:
    _told_to.append(news)


def _in_process(index: int, job: GossipTrainingJob) -> Result:
    return simulate(job, lambda done: _told_to[0].put((index, done)))
