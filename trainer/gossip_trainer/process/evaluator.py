"""The evaluator: looks at the job from outside, and ends it.

While workers train it reads their snapshots, tests the job's model and may end the job when the
target is met. When all have finished it tests and saves the final model and lets everybody go. The
job's model is the workers' average, of their models or of their moving averages, or, where there
are servers, the centre they hold. The evaluator changes no model.
"""

import math
import os
import random
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from functools import partial
from typing import TypeVar

from torch import Tensor

from gossip_trainer.errors import DivergedError, RunError
from gossip_trainer.evaluation.census import Census, CensusTaker, Reading
from gossip_trainer.evaluation.contacts import Contacts
from gossip_trainer.evaluation.scoring import Score, score
from gossip_trainer.membership.roster import Endpoint
from gossip_trainer.observability.events import (
    AVERAGE,
    CENTRE,
    MOVING_AVERAGE,
    Evaluation,
    Started,
    Stopping,
    WorkerModel,
)
from gossip_trainer.process.join import pull_centre
from gossip_trainer.process.metrics.evaluator import EvaluatorMetrics
from gossip_trainer.process.model_keeper import ModelKeeper, open_keeper
from gossip_trainer.process.network import Network, open_network
from gossip_trainer.process.shell import Shell
from gossip_trainer.process.standing import Prospect
from gossip_trainer.process.task import Task
from gossip_trainer.progress.ledger import StopReason
from gossip_trainer.replica.export import save_model
from gossip_trainer.seeding import derive_seed

T = TypeVar("T")

POLL_SECONDS = 0.5  # how often workers are asked how they stand
START_POLL_SECONDS = 0.1  # the same until training begins
SILENT_POLL_SECONDS = 5.0  # the same for one that did not answer the last time
CENTRE_SECONDS = 60.0  # how long the final centre is waited for: a server may be taking its place
RELEASE_SECONDS = 10.0
TOUCH_SECONDS = 5.0  # how often workers hear of the evaluator while it tests a model
MODEL_FILE = "model.safetensors"


class NoSnapshots:
    """The evaluator publishes nothing."""

    def pin(self) -> None:
        """There is nothing to pin."""


def run_evaluator(shell: Shell, task: Task) -> None:
    """Evaluate until all workers have finished; save the final average and release them."""
    environment, events, standing = shell.environment, shell.events, shell.standing
    metrics = shell.metrics
    metrics.describe(task.job.spec)
    metrics.add(EvaluatorMetrics(metrics.instruments, task.job.spec.evaluation.every))
    with closing(open_network(environment, task, NoSnapshots())) as network:
        standing.look_at(Prospect(network.progress, task.meter, network.num_peers))
        standing.phase = "Serving"
        host, port = network.endpoint.address
        status = environment.status or ""
        events.emit(Started(pid=os.getpid(), address=f"{host}:{port}", status=status))
        evaluator = Evaluator(shell, task, network, open_keeper(shell, task))
        signal.signal(signal.SIGINT, lambda _signal, _frame: evaluator.interrupt())
        evaluator.watch()
        evaluator.conclude()
        standing.phase = "Finished"


class Evaluator:
    """Watches one job from its first snapshot to its result."""

    def __init__(
        self, shell: Shell, task: Task, network: Network, keeper: ModelKeeper | None
    ) -> None:
        environment = shell.environment
        self._task = task
        self._network = network
        self._standing = shell.standing
        self._events = shell.events
        self._output = environment.output
        self._keeper = keeper
        self._knows_earlier = False
        self._settings = task.job.spec.evaluation
        stream = random.Random(  # noqa: S311 - a reproducible sample
            derive_seed(task.job.spec.training.seed, "census", environment.incarnation)
        )
        self._averages = task.job.spec.training.moving_average is not None
        self._census = CensusTaker(
            network.client, task.model.layout, stream, averages=self._averages
        )
        self._contacts = Contacts()
        self._asked = time.monotonic()

    def interrupt(self) -> None:
        """End the job for everyone."""
        self._end(StopReason.INTERRUPTED)

    def watch(self) -> None:
        """Ask and evaluate until all workers have finished; first as soon as training begins."""
        every = self._settings.every.total_seconds()
        next_evaluation = time.monotonic()
        told = False
        while True:
            self._ask()
            # Right after everybody was asked: an evaluation may have taken long.
            if self._contacts.all_finished(time.monotonic()):
                return
            if (stop := self._network.progress.stop) is not None and not told:
                told = True
                samples = self._network.progress.samples
                self._events.emit(
                    Stopping(reason=stop.reason, by=stop.by, step=0, job_samples=samples)
                )
            begun = math.isfinite(self._network.progress.began)
            now = time.monotonic()
            if begun and not told and now >= next_evaluation:
                self._evaluate()
                next_evaluation = now + every
            due = next_evaluation if begun else now + START_POLL_SECONDS
            time.sleep(max(0.0, min(POLL_SECONDS, due - time.monotonic())))

    def conclude(self) -> None:
        """Make, test and save the final average, then let the workers go."""
        evaluation = self._evaluate(final=True)
        if evaluation is None:
            raise RunError("no final model could be read; there is no result to save")
        save_model(
            self._task.model.module,
            self._output / MODEL_FILE,
            {
                "job": self._task.job.metadata.name,
                "strategy": self._task.job.spec.strategy.type,
                "samples": str(evaluation.job_samples),
                "loss": str(evaluation.loss),
            }
            | ({} if evaluation.accuracy is None else {"accuracy": str(evaluation.accuracy)}),
        )
        if self._keeper is not None:
            keep_final = partial(self._keeper.keep_final, self._task.model.module, evaluation)
            self._standing.model = self._in_touch(keep_final)
        self._events.emit(evaluation)
        self._release()
        if evaluation.loss is None:
            raise DivergedError(
                "training diverged: the final model's loss is not finite; lower "
                "spec.training.optimizer.learningRate"
            )

    def _workers(self) -> list[Endpoint]:
        return list(self._network.roster().workers().values())

    def _servers(self) -> list[Endpoint]:
        return list(self._network.roster().servers().values())

    def _ask(self) -> None:
        self._asked = now = time.monotonic()
        asked = self._contacts.due(self._workers(), now)
        standings = self._census.ask(asked)
        now = time.monotonic()
        for worker in asked:
            contact = self._contacts.known[worker.name]
            standing = standings.get(worker.name)
            if standing is None:
                contact.due = now + SILENT_POLL_SECONDS
                continue
            contact.heard = contact.due = now
            contact.finished = standing.header is not None and standing.header.finished

    def _evaluate(self, *, final: bool = False) -> Evaluation | None:
        models: list[WorkerModel] = []
        began = time.monotonic()

        def visit(reading: Reading, vector: Tensor) -> None:
            if len(models) < self._settings.workers:
                self._task.model.load_(vector)
                own = self._score()
                models.append(
                    WorkerModel(
                        reading.member, reading.header.step, _finite(own.loss), own.accuracy
                    )
                )

        workers = self._workers()
        sample = len(workers) if final else self._settings.sample
        census = self._census.take(workers, sample, visit)
        if not census.readings:
            return None
        missed = self._load_model(CENTRE_SECONDS if final else 0.0)
        if missed:
            return None
        average = self._score()
        evaluation = self._evaluation(
            census, average, tuple(models), final=final, took=time.monotonic() - began
        )
        if not final:
            self._events.emit(evaluation)
            if self._keeper is not None:
                progress = self._network.progress
                began, earlier = progress.began, progress.earlier_seconds
                module = self._task.model.module
                self._in_touch(partial(self._keeper.keep, module, evaluation, began, earlier))
            self._check_target(average)
        return evaluation

    def _evaluation(
        self,
        census: Census,
        average: Score,
        models: tuple[WorkerModel, ...],
        *,
        final: bool,
        took: float,
    ) -> Evaluation:
        progress, mean = self._network.progress, self._census.mean
        # The final models are those of the moment the job was stopped; it may have been stopped
        # before any worker began.
        now = progress.stop.at if final and progress.stop is not None else time.time()
        if self._keeper is not None and not self._knows_earlier:
            self._knows_earlier = True
            progress.earlier_seconds = self._keeper.earlier_seconds(progress.began)
        steps = [reading.header.step for reading in census.readings]
        distance = mean.consensus_distance
        return Evaluation(
            seconds=progress.seconds(now),
            job_samples=progress.samples,
            epoch=self._task.meter.epoch(progress.samples),
            averaged=len(census.readings),
            missed=census.missed,
            loss=_finite(average.loss),
            accuracy=average.accuracy,
            consensus_distance=_finite(distance),
            relative_consensus_distance=_finite(distance / norm) if (norm := mean.norm) else None,
            min_step=min(steps),
            max_step=max(steps),
            workers=models,
            final=final,
            model=self._model,
            took=took,
        )

    @property
    def _model(self) -> str:
        if self._task.job.spec.num_shards:
            return CENTRE
        return MOVING_AVERAGE if self._averages else AVERAGE

    def _score(self) -> Score:
        return score(self._task.model.module, self._task.dataset, self._keep_in_touch)

    def _in_touch(self, save: Callable[[], T]) -> T:
        """Save, and let workers hear of the evaluator however long the storage takes."""
        with ThreadPoolExecutor(1) as thread:
            saving = thread.submit(save)
            while not wait([saving], TOUCH_SECONDS).done:
                self._ask()
            return saving.result()

    def _keep_in_touch(self) -> None:
        if time.monotonic() - self._asked >= TOUCH_SECONDS:
            self._ask()

    def _load_model(self, seconds: float) -> tuple[str, ...]:
        """Load the job's model; return which servers could not be read within `seconds`."""
        vector, num_shards = self._task.model.vector, self._task.job.spec.num_shards
        if not num_shards:
            self._census.average.write_to_(vector)
            return ()
        deadline = time.monotonic() + seconds
        while missed := pull_centre(self._network, vector, num_shards):
            if time.monotonic() >= deadline:
                break
            time.sleep(POLL_SECONDS)
            self._keep_in_touch()
        return missed

    def _check_target(self, average: Score) -> None:
        target = self._task.job.spec.training.target
        if target is None:
            return
        if target.metric == "accuracy":
            met = average.accuracy is not None and average.accuracy >= target.value
        else:
            met = average.loss <= target.value
        if met:
            self._end(StopReason.TARGET)

    def _end(self, reason: StopReason) -> None:
        self._network.progress.end(reason, self._task.name, time.time())

    def _release(self) -> None:
        self._network.progress.release()
        deadline = time.monotonic() + RELEASE_SECONDS
        for members in (self._workers, self._servers):
            while (left := members()) and time.monotonic() < deadline:
                if not self._census.ask(left):
                    break
                time.sleep(POLL_SECONDS / 10)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
