"""The way into a job for any training loop, the built-in one among them.

A script opens a session around its loop, and its process is a worker of the job from then on: it
finds the others, begins with the job's model or where it was, exchanges at the end of every step,
reports, saves, and ends when the job does.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import torch

from gossip_api.environment import PREFIX
from gossip_api.loading import load_job
from gossip_trainer.data.resumable_sampler import ResumableSampler
from gossip_trainer.data.sampler import Share
from gossip_trainer.errors import SessionError
from gossip_trainer.process.alone import alone
from gossip_trainer.process.batch_source import batch_source
from gossip_trainer.process.claim import claimed
from gossip_trainer.process.memory import restore_random
from gossip_trainer.process.shell import Shell, open_shell, read_environment
from gossip_trainer.process.task import build_task, with_model
from gossip_trainer.process.worker import Part, take_part

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sized
    from pathlib import Path
    from types import TracebackType

    from torch import Tensor, nn
    from torch.optim import Optimizer

    from gossip_trainer.process.memory import Stateful
    from gossip_trainer.process.task import Task

T = TypeVar("T")

KNOWN_OPTIMIZERS: Final = (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW)


class Session:
    """A worker's part in its job, around a training loop.

    ```python
    with Session(model, optimizer) as session:
        for images, labels in session.batches(loader):
            loss = cross_entropy(model(images), labels)
            loss.backward()
            session.step(loss, samples=len(labels))
    ```

    What the process belongs to stands in its environment, where `gossip run` and the operator put
    it. Without, the script trains alone, as the job file `job` says.

    The parameters are those of the job's `training.model` at the beginning, alike on all workers,
    so the two must have the same tensors. They and their gradients lie in flat vectors from then
    on: move the model to its device before, and to no other afterwards.

    Args:
        model: what is trained.
        optimizer: moves the model's parameters; its learning rate is its own. Left out, the job's
            own is built, with the job's schedule.
        job: the job file for a script that is started by itself.
        out: where such a script leaves its files, and goes on with what it saved there; a new
            folder in `runs` where left out.

    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer | None = None,
        *,
        job: str | Path | None = None,
        out: str | Path | None = None,
    ) -> None:
        self._model = model
        self._own_optimizer = optimizer
        self._job = job
        self._out = out
        self._is_script = True
        self._has_begun = False
        self._stack = ExitStack()
        self._part: Part | None = None
        self._shell: Shell | None = None
        self._task: Task | None = None

    @classmethod
    def within(cls, shell: Shell, task: Task) -> Self:
        """Return the session of a process whose shell is open, with the job's own model."""
        session = cls(task.model.module)
        session._shell, session._task, session._is_script = shell, task, False
        return session

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            if self._is_script:
                self._open_shell(stack)
            shell, task = self._opened, self._task
            assert task is not None, "whoever opened the shell has built it"
            is_alone = self._is_script and _is_alone()
            optimizer = self._own_optimizer
            self._part = stack.enter_context(take_part(shell, task, optimizer, alone=is_alone))
            self._stack = stack.pop_all()
            return self
        # The shell has told what is at fault, and there is no body to go on with.
        sys.exit(self._opened.code)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        handled = self._stack.__exit__(kind, error, trace)
        shell = self._opened
        if self._is_script and shell.code and (handled or error is None):
            # The trainer's own faults are told in the log by now, in words; there is no more to
            # say, but the process must end like any other of the job's.
            sys.exit(shell.code)

    def _open_shell(self, stack: ExitStack) -> None:
        """Make this process a worker: of the job in its environment, or of one it has alone."""
        if _is_alone():
            environment, document = alone(self._job, self._out)
            stack.enter_context(claimed(environment.output))
            print(f"training alone, files in {environment.output}", file=sys.stderr)  # noqa: T201
        else:
            environment, document = read_environment(os.environ), None
        self._shell = shell = stack.enter_context(open_shell(environment))
        job = load_job(environment.job_file) if document is None else document
        self._task = with_model(build_task(job, shell.environment, shell.stop_at_once), self._model)
        check_optimizer(self._own_optimizer, self._task)

    @property
    def optimizer(self) -> Optimizer | None:
        """What moves the model; None if the job ended before the worker could begin."""
        return None if self._part is None else self._part.optimizer

    @property
    def rank(self) -> int:
        """Which of the job's workers this is, from 0 on."""
        return self._opened.environment.rank

    @property
    def num_workers(self) -> int:
        """How many workers the job has, whether they live or not."""
        assert self._opened, "raises if the session is not open"
        assert self._task is not None
        return self._task.job.spec.workers.replicas

    @property
    def live_ranks(self) -> Collection[int]:
        """The workers that there are, this one among them."""
        return {self.rank, *(() if self._part is None else self._part.live_ranks())}

    @property
    def epoch(self) -> float:
        """Passes over the training data, of all workers together."""
        return 0.0 if self._part is None else self._part.boundary.epoch

    @property
    def saved_position(self) -> Any:
        """Where in its data the worker was when it last saved; None if it never did."""
        saved = None if self._part is None else self._part.saved
        return None if saved is None else saved["position"]

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to train."""
        return self._part is None or not self._part.stepper.going

    def sampler(self, data: Sized) -> ResumableSampler:
        """Return this worker's share of a map-style data set, for `DataLoader(sampler=...)`."""
        replicas = self.num_workers
        assert self._task is not None, "num_workers has checked it"
        return ResumableSampler(
            len(data),
            share=Share(self.rank % replicas, replicas),
            seed=self._task.job.spec.training.seed,
            stream=self.rank,
        )

    def register(self, name: str, thing: Stateful) -> None:
        """Save `thing` along, and let it go on from what was saved under that name, if it was."""
        if self._part is None or self._part.memory is None:
            return
        if name in self._part.memory.registered:
            raise SessionError(f"{name!r} is registered already; choose another name")
        self._part.memory.registered[name] = thing
        saved = self._part.saved
        if saved is not None and name in saved["registered"]:
            thing.load_state_dict(saved["registered"][name])

    def steps(self) -> Iterator[int]:
        """Yield the number of every step until the job ends; the loop draws its own data."""
        part = self._part
        if part is None:
            return
        self._begin_loop(part)
        while part.stepper.going:
            part.stepper.begin()
            yield part.boundary.counters.steps
            _come_back(part)

    def batches(self, loader: Iterable[T]) -> Iterator[T]:
        """Yield the loader's batches, pass after pass, until the job ends.

        A loader that has `state_dict` and `load_state_dict` goes on where it was when the worker
        last saved; so does a `DataLoader` whose sampler is `session.sampler`. Any other begins a
        new pass.

        Raises:
            SessionError: a pass brings no batch.

        """
        part = self._part
        if part is None:
            return
        is_first = not self._has_begun
        source = batch_source(loader, self.saved_position if is_first else None)
        if part.memory is not None:
            part.memory.position = source.state
        stepper, num_missed = part.stepper, part.num_missed if is_first else 0
        # What a resumed pass had left may have been nothing.
        may_be_empty = is_first and self.saved_position is not None
        self._begin_loop(part)
        while stepper.going:
            num_batches = 0
            for batch in source:
                num_batches += 1
                if num_missed:
                    num_missed -= 1
                    continue
                stepper.begin()
                yield batch
                if self.is_over:
                    return
                _come_back(part)
            if not num_batches and not may_be_empty:
                raise SessionError(
                    "the loader gave no batch in a whole pass; give it data, or a batch size that "
                    "is not above what there is with drop_last"
                )
            may_be_empty = False

    def step(self, loss: Tensor | Callable[[], Tensor], *, samples: int | None = None) -> None:
        """Step the optimizer, exchange, report, save when it is time, and clear the gradient.

        Args:
            loss: what `backward` was called for; or a closure that computes it and calls
                `backward`. Where a mean over all workers lost a member a closure is called again;
                without one the worker brings a gradient of zero to the mean that is made anew.
            samples: how many it is of; the job's `batchSize` where left out.

        """
        part, task = self._part, self._task
        if part is None or task is None:
            raise SessionError("step: the job is over; take steps only within batches() or steps()")
        count = task.job.spec.training.batch_size if samples is None else samples
        compute = loss if callable(loss) else lambda: loss
        if not self._is_script:
            part.stepper.step(compute, count)
            return
        model = task.model

        def gathered() -> Tensor:
            value = compute()
            model.gather_gradients()
            return value

        part.stepper.step(gathered, count)
        model.gradient.zero_()

    def _begin_loop(self, part: Part) -> None:
        """Let random numbers go on: what the script drew until here it had drawn then as well."""
        if part.random is not None and not self._has_begun:
            restore_random(part.random)
        self._has_begun = True

    @property
    def _opened(self) -> Shell:
        if self._shell is None:
            raise SessionError("the session is not open; use it in `with Session(...) as session:`")
        return self._shell


def _come_back(part: Part) -> None:
    """Save if it is time to: the loop's body has done by now what it does after a step."""
    if part.stepper.going and not part.stepper.in_step:
        part.after_step()


def _is_alone() -> bool:
    return f"{PREFIX}ROLE" not in os.environ


def check_optimizer(optimizer: Optimizer | None, task: Task) -> None:
    """Refuse a script's optimizer that cannot do what the job's strategy needs of it.

    Raises:
        SessionError: it does not move all of the model, or its state cannot be copied.

    """
    if optimizer is None:
        return
    strategy = task.job.spec.strategy
    moved = {id(each) for group in optimizer.param_groups for each in group["params"]}
    own = {id(each) for each in task.model.module.parameters() if each.requires_grad}
    if moved != own:
        raise SessionError(
            f"the optimizer moves {len(moved)} parameters, {len(moved & own)} of them of the "
            f"model, which has {len(own)} to train; make it of model.parameters(), once the model "
            "is whole"
        )
    if strategy.parameter_server is not None:
        raise SessionError(
            "spec.strategy.type ParameterServer: its servers step the optimizer, so it is the "
            "job's; leave the optimizer out: Session(model)"
        )
    if strategy.uses_collective and not isinstance(optimizer, KNOWN_OPTIMIZERS):
        names = ", ".join(each.__name__ for each in KNOWN_OPTIMIZERS)
        raise SessionError(
            f"spec.strategy.type {strategy.type}: a worker that joins copies the optimizer's "
            f"state, which is known of {names}, not of {type(optimizer).__name__}; use one of "
            "those or another strategy"
        )
