"""From what is asked for to the cells of a comparison: one job each. Pure."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gossip_api.errors import InvalidJob
from gossip_api.loading import resolved_yaml
from gossip_trainer.compare.errors import InvalidComparison

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gossip_api.job import GossipTrainingJob
    from gossip_trainer.compare.contestants import Contestant

    Load = Callable[[Sequence[str]], GossipTrainingJob]

Mode = Literal["simulated", "real"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """What to compare.

    Attributes:
        contestants: the strategies.
        workers: numbers of workers; the job's where empty.
        learning_rates: the job's where empty.
        seeds: how many, from the job's upwards.
        fixed_total_batch: divide the job's total batch (its batch size times its workers) among
            the workers of every size, instead of giving each the job's batch size.
        target: metric and value; the job's where None.
        mode: in virtual time, or as processes on this machine.

    """

    contestants: tuple[Contestant, ...]
    workers: tuple[int, ...] = ()
    learning_rates: tuple[float, ...] = ()
    seeds: int = 1
    fixed_total_batch: bool = False
    target: tuple[str, float] | None = None
    mode: Mode = "simulated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One job of a comparison.

    Attributes:
        strategy: its contestant's label.
        job: all of it, the place in the grid included.
        mode: how it is carried out.
        key: digest of job and mode; cells that share it find the same.

    """

    strategy: str
    job: GossipTrainingJob
    mode: Mode
    key: str

    @property
    def workers(self) -> int:
        """How many workers train."""
        return self.job.spec.workers.replicas

    @property
    def learning_rate(self) -> float:
        """The optimizer's learning rate."""
        return self.job.spec.training.optimizer.learning_rate

    @property
    def seed(self) -> int:
        """The job's seed."""
        return self.job.spec.training.seed

    @property
    def batch_size(self) -> int:
        """Samples per step of every worker."""
        return self.job.spec.training.batch_size

    @property
    def name(self) -> str:
        """How messages call it."""
        noun = "worker" if self.workers == 1 else "workers"
        return (
            f"{self.strategy}, {self.workers} {noun}, learning rate {self.learning_rate:g}, "
            f"seed {self.seed}"
        )

    @property
    def weight(self) -> float:
        """Its steps of all workers, up to a factor that is the same for all cells of a grid."""
        training = self.job.spec.training
        budget, batch = training.budget, training.batch_size
        if budget.steps_per_worker is not None:
            return float(budget.steps_per_worker * self.workers)
        if budget.seconds is not None:
            simulation = self.job.spec.simulation if self.mode == "simulated" else None
            step_seconds = simulation.compute_seconds.mean if simulation else None
            return budget.seconds * self.workers / (step_seconds or 1.0)
        return (budget.samples or budget.epochs or 1.0) / batch


def plan(load: Load, grid: Grid) -> list[Cell]:
    """List all cells by workers, contestant, learning rate and seed.

    `load` reads the job with overrides `path=value` on top of the user's own.

    Raises:
        InvalidJob: a cell's job is invalid.
        InvalidComparison: there is no target, or a total batch that does not divide.

    """
    job = load(_target(grid))
    if job.spec.training.target is None:
        raise InvalidComparison(
            "there is no target, and what is compared is the way to it; give one with --target, "
            "such as --target accuracy=0.9, or in the job's spec.training.target"
        )
    return [
        cell
        for workers in grid.workers or (job.spec.workers.replicas,)
        for contestant in grid.contestants
        for cell in _cells(load, grid, job, contestant, workers)
    ]


def _cells(
    load: Load, grid: Grid, job: GossipTrainingJob, contestant: Contestant, workers: int
) -> Iterator[Cell]:
    training = job.spec.training
    for rate in grid.learning_rates or (None,):
        chosen = [] if rate is None else [f"spec.training.optimizer.learningRate={rate!r}"]
        for seed in range(training.seed, training.seed + grid.seeds):
            place = [*_target(grid), *_size(job, grid, workers), *chosen]
            place.append(f"spec.training.seed={seed}")
            changes = contestant.overrides(job)
            own = _blaming(load, [*place, *changes], f"{contestant.label} with {workers} workers")
            _check_in_place(own, load(place), contestant, has_rates=rate is not None)
            yield Cell(
                strategy=contestant.label, job=own, mode=grid.mode, key=_digest(own, grid.mode)
            )


def _check_in_place(
    own: GossipTrainingJob, asked: GossipTrainingJob, contestant: Contestant, *, has_rates: bool
) -> None:
    """Refuse a contestant whose settings change what the grid is for."""
    ours, theirs = own.spec, asked.spec
    fixed = {
        "workers.replicas": ours.workers.replicas == theirs.workers.replicas,
        "training.seed": ours.training.seed == theirs.training.seed,
        "training.target": ours.training.target == theirs.training.target,
        "training.optimizer.learningRate": not has_rates
        or ours.training.optimizer.learning_rate == theirs.training.optimizer.learning_rate,
    }
    for path, is_kept in fixed.items():
        if not is_kept:
            raise InvalidComparison(
                f"--strategies {contestant.label}: spec.{path} is the same for all strategies; set "
                "it with --workers, --seeds, --target, --learning-rates or --set"
            )


def _target(grid: Grid) -> list[str]:
    if grid.target is None:
        return []
    metric, value = grid.target
    return [f"spec.training.target={json.dumps({'metric': metric, 'value': value})}"]


def _size(job: GossipTrainingJob, grid: Grid, workers: int) -> list[str]:
    """List what a number of workers sets."""
    resized = job.spec.workers.resized(workers)
    changes = [f"spec.workers.{field}={number}" for field, number in resized.items()]
    if grid.fixed_total_batch:
        own = job.spec.training.batch_size
        batch = _share_of_batch(own * job.spec.workers.replicas, workers)
        changes.append(f"spec.training.batchSize={batch}")
        if job.spec.simulation is not None and grid.mode == "simulated":
            # What the job says is how long its own batch takes.
            mean = job.spec.simulation.compute_seconds.mean
            if mean is None:
                raise InvalidComparison(
                    "--fixed-total-batch: spec.simulation.computeSeconds.trace tells how long one "
                    "batch size takes, and not the others; give computeSeconds.mean instead"
                )
            changes.append(f"spec.simulation.computeSeconds.mean={mean * batch / own!r}")
    return changes


def _share_of_batch(total: int, workers: int) -> int:
    batch, rest = divmod(total, workers)
    if rest or not batch:
        raise InvalidComparison(
            f"--fixed-total-batch: the total batch of {total} (the job's batchSize times its "
            f"replicas) does not divide among {workers} workers; change --workers, or the job with "
            "--set training.batchSize"
        )
    return batch


def _blaming(load: Load, overrides: Sequence[str], place: str) -> GossipTrainingJob:
    """Load a cell's job; what is wrong with it is told of the place in the grid."""
    try:
        return load(overrides)
    except InvalidJob as error:
        ours = {f"--set {override}" for override in overrides}
        raise InvalidJob(
            dataclasses.replace(problem, source=place) if problem.source in ours else problem
            for problem in error.problems
        ) from error


def _digest(job: GossipTrainingJob, mode: Mode) -> str:
    return hashlib.sha256(f"{mode}\n{resolved_yaml(job)}".encode()).hexdigest()[:16]
