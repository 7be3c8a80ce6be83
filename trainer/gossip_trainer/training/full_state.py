"""All that a worker trains on from, as one flat vector and a few numbers.

It is what a late worker copies of one that it is to meet in collectives: the model as the optimizer
left it, the optimizer's state, the algorithm's, and how far both are.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import msgspec
import torch
import xxhash
from torch import Tensor, nn
from torch.optim import Optimizer

from gossip_trainer.algorithms.base import Algorithm, State
from gossip_trainer.errors import CheckpointError, CollectiveError
from gossip_trainer.replica.flat import FlatModel, iterate_of
from gossip_trainer.replica.memory import bytes_of
from gossip_trainer.training.counters import Counters
from gossip_trainer.training.ending import Ending
from gossip_trainer.training.moving_average import MovingAverage

Natural = Annotated[int, msgspec.Meta(ge=0)]


class Counts(msgspec.Struct, frozen=True, array_like=True):
    """The numbers beside the vectors.

    Attributes:
        step: optimizer steps.
        job_samples: samples of the whole job, as all agreed in the newest collective.
        since: own samples since then.
        learning_rate: of the newest step; where x lies depends on it.
        optimizer_step: as the optimizer counts its steps, if it does.
        has_optimizer: whether the optimizer has a state yet.
        algorithm: the algorithm's.

    """

    step: Natural
    job_samples: Natural
    since: Natural
    learning_rate: float
    optimizer_step: float
    has_optimizer: bool
    algorithm: tuple[int, ...]


_GO_ON = "go on with that one, or begin anew with spec.training.initialModel"
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Counts)


class FullState:
    """One worker's state, seen through what keeps it."""

    def __init__(
        self,
        model: FlatModel,
        optimizer: Optimizer,
        algorithm: Algorithm,
        *,
        average: MovingAverage | None = None,
        counters: Counters,
        ending: Ending,
    ) -> None:
        self._model = model
        self._optimizer = optimizer
        self._algorithm = algorithm
        self._average = average
        self._counters = counters
        self._ending = ending

    @property
    def size(self) -> int:
        """How many elements it packs into, the same for all workers of a job."""
        carried = sum(vector.numel() for vector in self._carried())
        names = len(vectors_of(self._optimizer))
        moved = sum(parameter.numel() for parameter in self._parameters)
        return self._model.vector.numel() + names * moved + carried

    @property
    def dtype(self) -> torch.dtype:
        """Of all its vectors."""
        return self._model.vector.dtype

    def counts(self) -> Counts:
        """Return the numbers that belong to it."""
        state = self._optimizer.state.get(self._parameters[0], {})
        counted = state.get("step", 0.0)
        return Counts(
            self._counters.steps,
            self._ending.agreed_samples,
            self._ending.samples_since_meeting,
            float(self._optimizer.param_groups[0]["lr"]),
            float(counted),
            any(state.get(name) is not None for name in vectors_of(self._optimizer)),
            self._algorithm_state().counts,
        )

    def pack(self) -> Tensor:
        """Return a copy of all vectors, in host memory, shape (size,)."""
        return torch.cat([self._model.vector, *self._optimizer_vectors(), *self._carried()]).cpu()

    def digest(self) -> str:
        """Return XXH3 of what is alike on all workers that meet."""
        counts = self.counts()
        alike = [] if not self._algorithm.keeps_equal else [*self._optimizer_vectors()]
        if self._algorithm.keeps_equal:
            alike.append(self._model.vector[: self._model.parameter.numel()])
        digest = xxhash.xxh3_64()
        digest.update(_ENCODER.encode((counts.step, counts.job_samples, counts.since)))
        digest.update(_ENCODER.encode(counts.algorithm))
        for vector in (*alike, *self._kept()):
            digest.update(bytes_of(vector))
        return digest.hexdigest()

    def restore(self, packed: Tensor, counts: Counts) -> None:
        """Go on from another worker's state; it was packed by one of the same job."""
        parts = self._cut(packed.to(self._model.vector.device))
        self._model.load_(next(parts))
        for parameter in self._parameters:
            self._optimizer.state[parameter].clear()
        for name in vectors_of(self._optimizer):
            for parameter in self._parameters:
                vector = next(parts)
                if counts.has_optimizer:
                    self._optimizer.state[parameter][name] = _laid_like(parameter, vector)
        if counts.has_optimizer and "betas" in self._optimizer.param_groups[0]:
            is_fused = self._optimizer.param_groups[0].get("fused")
            for parameter in self._parameters:
                # A fused kernel counts where it computes, any other optimizer on the CPU.
                place = parameter.device if is_fused else None
                step = torch.tensor(counts.optimizer_step, device=place)
                self._optimizer.state[parameter]["step"] = step
        for group in self._optimizer.param_groups:
            group["lr"] = counts.learning_rate
        for carried, vector in zip(self._carried(), parts, strict=True):
            carried.copy_(vector)
        self._algorithm.restore(counts.algorithm)
        self._counters.steps = counts.step
        self._ending.go_on_from(counts.job_samples, counts.since)

    def save(self) -> dict[str, Any]:
        """Return all of it, and what is each worker's own: integer buffers, counts.

        The tensors are those in use: they are to be copied before the next step.
        """
        kept = self._algorithm_state()
        return {
            "vector": self._model.vector,
            "buffers": dict(_local_buffers(self._model)),
            "optimizer": self._optimizer.state_dict(),
            "averages": list(self._averages()),
            "algorithm": {
                "counts": list(kept.counts),
                "vectors": list(kept.vectors),
            },
            "steps": self._counters.steps,
            "agreed_samples": self._ending.agreed_samples,
            "samples_since_meeting": self._ending.samples_since_meeting,
            "times": self._ending.times(),
        }

    def load(self, saved: Mapping[str, Any]) -> None:
        """Go on from what `save` returned, of the same job.

        Raises:
            CheckpointError: it is of another optimizer or strategy.

        """
        self._model.load_(saved["vector"])
        for name, buffer in _local_buffers(self._model):
            buffer.copy_(saved["buffers"][name])
        self._load_optimizer(saved["optimizer"])
        for parameter in self._parameters:
            state = self._optimizer.state.get(parameter, {})
            for name in vectors_of(self._optimizer):
                if state.get(name) is not None:
                    state[name] = _laid_like(parameter, state[name])
        # One that the job was given since then begins with the model.
        averages = saved["averages"] or [saved["vector"]]
        for average, vector in zip(self._averages(), averages, strict=False):
            average.copy_(vector)
        vectors = saved["algorithm"]["vectors"]
        if len(vectors) != len(self._kept()):
            raise CheckpointError(f"the strategy is not the one that was saved; {_GO_ON}")
        for kept, vector in zip(self._kept(), vectors, strict=True):
            kept.copy_(vector)
        self._algorithm.restore(tuple(saved["algorithm"]["counts"]))
        self._counters.steps = saved["steps"]
        self._ending.go_on_from(saved["agreed_samples"], saved["samples_since_meeting"])
        self._ending.count_on(saved["times"])

    def count_on(self, saved: Mapping[str, Any]) -> None:
        """Count only the job's seconds on from what `save` returned."""
        self._ending.count_on(saved["times"])

    def _load_optimizer(self, saved: Mapping[str, Any]) -> None:
        settings = self._optimizer.defaults.keys()
        if any(settings - group.keys() for group in saved["param_groups"]):
            raise CheckpointError(f"the optimizer is not the one that was saved; {_GO_ON}")
        try:
            self._optimizer.load_state_dict(dict(saved))
        except ValueError as error:
            raise CheckpointError(
                f"the optimizer is not the one that was saved ({error}); {_GO_ON}"
            ) from error

    def _cut(self, packed: Tensor) -> Iterator[Tensor]:
        moved = [parameter.numel() for parameter in self._parameters]
        carried = [vector.numel() for vector in self._carried()]
        names = vectors_of(self._optimizer)
        yield from torch.split(packed, [self._model.vector.numel(), *moved * len(names), *carried])

    def _optimizer_vectors(self) -> Iterator[Tensor]:
        for name in vectors_of(self._optimizer):
            for parameter in self._parameters:
                vector = self._optimizer.state.get(parameter, {}).get(name)
                # What is not there yet begins at zero.
                yield (torch.zeros_like(parameter) if vector is None else vector).detach().flatten()

    @property
    def _parameters(self) -> list[nn.Parameter]:
        """What the optimizer moves: one flat parameter, or all of a user's model."""
        return [each for group in self._optimizer.param_groups for each in group["params"]]

    def _carried(self) -> tuple[Tensor, ...]:
        """Return the vectors that go along with the model's and the optimizer's, in order."""
        return (*self._averages(), *self._kept())

    def _averages(self) -> tuple[Tensor, ...]:
        return () if self._average is None else (self._average.vector,)

    def _kept(self) -> tuple[Tensor, ...]:
        return self._algorithm_state().vectors

    def _algorithm_state(self) -> State:
        return self._algorithm.state(iterate_of(self._model, self._optimizer))


def _local_buffers(model: FlatModel) -> Iterator[tuple[str, Tensor]]:
    """Yield the buffers that no peer ever gets, such as the batches that a norm has counted."""
    for name, buffer in model.module.named_buffers():
        if not buffer.is_floating_point():
            yield name, buffer


def _laid_like(parameter: Tensor, vector: Tensor) -> Tensor:
    """Return a copy that lies in memory as the parameter does, which fused kernels insist on."""
    laid = torch.empty_like(parameter, requires_grad=False)
    return laid.copy_(vector.view_as(parameter))


def encode_counts(counts: Counts) -> bytes:
    """Write the numbers as they travel."""
    return _ENCODER.encode(counts)


def decode_counts(data: bytes) -> Counts:
    """Read them; CollectiveError for anything malformed."""
    try:
        counts = _DECODER.decode(data)
    except msgspec.DecodeError as error:
        raise CollectiveError(f"a state came with numbers that make no sense: {error}") from error
    if not math.isfinite(counts.learning_rate):
        raise CollectiveError(f"a state came with the learning rate {counts.learning_rate}")
    return counts


def vectors_of(optimizer: Optimizer) -> tuple[str, ...]:
    """Return the names of the vectors SGD or Adam keeps, each of the parameters' size."""
    group = optimizer.param_groups[0]
    if "betas" in group:
        return ("exp_avg", "exp_avg_sq")
    return ("momentum_buffer",) if group.get("momentum", 0.0) else ()
