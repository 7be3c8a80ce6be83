"""A user's own data set: what `package.module:callable` returns.

It returns torch's map-style data sets, `(train, test)`, whose items are an input and a target; or
an object with all that this trainer's `Dataset` has. The first are for classification and for
language models: targets are int64, one number or one for each position.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol, cast, runtime_checkable

import numpy as np
import torch

from gossip_api.training import Data
from gossip_trainer.data.arguments import integer
from gossip_trainer.data.dataset import Batch, Classification, Dataset
from gossip_trainer.data.decoding.pool import open_decoding
from gossip_trainer.data.decoding.stream import DecodedStream, decoded
from gossip_trainer.data.decoding.task import Array, RawShape
from gossip_trainer.data.stream import BatchStream, StreamPlan, position_of, sampler_of
from gossip_trainer.errors import DataError
from gossip_trainer.seeding import derive_seed
from gossip_trainer.user_callable import UserCallable

PROCESSES: Final = "processes"
MAX_TEST_BATCH: Final = 64
_MEMBERS: Final = (
    "num_examples", "input_shape", "num_classes", "test_batches", "stream", "loss", "grade",
)  # fmt: skip


@runtime_checkable
class MapStyle(Protocol):
    """A data set of torch whose items have numbers."""

    def __len__(self) -> int:
        """How many items it has."""
        ...

    def __getitem__(self, index: int, /) -> Any:
        """Return an input and its target."""
        ...


class Drawn(NamedTuple):
    """An item, and the seed of the random numbers that it may draw."""

    number: int
    seed: int


@dataclass(frozen=True, slots=True)
class ItemShape:
    """What all items are alike in."""

    input: tuple[int, ...]
    dtype: str
    target: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ItemReader:
    """Reads items of `dataset` into a batch."""

    dataset: MapStyle
    shape: ItemShape
    num_classes: int

    def __call__(self, items: Sequence[Drawn], inputs: Array) -> Array:
        """Write the items' inputs into the rows of `inputs`; return their targets."""
        targets = np.empty((len(items), *self.shape.target), np.int64)
        for (index, seed), row, place in zip(items, inputs, range(len(items)), strict=False):
            with _seeded(seed):
                value, target = read_item(self.dataset, index)
            found = ItemShape(value.shape, value.dtype.name, target.shape)
            if found != self.shape:
                raise DataError(
                    f"item {index} of the data set: is {found}, the first one is {self.shape}; "
                    "all must be alike"
                )
            if target.size and not (target.min() >= 0 and target.max() < self.num_classes):
                raise DataError(
                    f"item {index} of the data set: its target {target.tolist()} is no class; "
                    f"allowed "
                    f"are 0 to {self.num_classes - 1}"
                )
            row[...], targets[place] = value, target
        return targets


class OwnDataset(Classification):
    """A user's map-style data sets.

    Args:
        train: the items to learn from.
        test: the held-out ones.
        num_classes: targets are below this.
        num_processes: how many read items beside each process of the job; 0: itself.

    """

    def __init__(
        self, train: MapStyle, test: MapStyle, *, num_classes: int, num_processes: int
    ) -> None:
        with _seeded(0):
            value, target = read_item(train, 0)
        self._shape = ItemShape(value.shape, value.dtype.name, target.shape)
        self._train = train
        self._test = test
        self._num_processes = num_processes
        self.num_classes = num_classes
        self.num_examples = len(train)
        self.input_shape = self._shape.input

    def stream(self, plan: StreamPlan, state: Mapping[str, Any] | None = None) -> BatchStream:
        """Return a worker's endless stream of training batches, from `state` on."""
        if plan.sharding == "ByLabel":
            targets = targets_of(self._train)
        else:
            targets = torch.zeros(self.num_examples, dtype=torch.int64)
        sampler = sampler_of(targets, plan, state)

        def next_task() -> tuple[list[Drawn], dict[str, Any]]:
            items = [
                Drawn(index, derive_seed(plan.seed, "item", plan.stream, epoch, index))
                for epoch, indices in sampler.draw()
                for index in indices.tolist()
            ]
            return items, position_of(sampler)

        num_processes = plan.num_processes
        return DecodedStream(
            next_task,
            open_decoding(
                self._reader(self._train),
                self._raw(plan.batch_size),
                self._num_processes if num_processes is None else num_processes,
            ),
            finish=_copied,
            position=position_of(sampler),
        )

    def test_batches(self, batch_size: int) -> Iterator[Batch]:
        """Yield the test split in order; at most 64 items at a time."""
        size = min(batch_size, MAX_TEST_BATCH)
        numbers = range(len(self._test))
        tasks = (
            [Drawn(index, 0) for index in numbers[begin : begin + size]]
            for begin in range(0, len(self._test), size)
        )
        num_processes = self._num_processes if size == MAX_TEST_BATCH else 0
        with closing(
            open_decoding(self._reader(self._test), self._raw(size), num_processes)
        ) as decoding:
            for inputs, targets in decoded(tasks, decoding):
                yield _copied(inputs, targets)

    def _reader(self, dataset: MapStyle) -> ItemReader:
        return ItemReader(dataset, self._shape, self.num_classes)

    def _raw(self, batch_size: int) -> RawShape:
        return RawShape(batch_size, self._shape.input, self._shape.dtype)


def load(settings: Data, seed: int) -> Dataset:
    """Call the user's callable, and see what it returned.

    It gets the job's `args` but `processes`, and the job's `seed` if its signature has it.

    Raises:
        DataError: it cannot be found, fails, or returns something else than it should.

    """
    args = dict(settings.args)
    num_processes = integer(PROCESSES, args.pop(PROCESSES, 0), 0)
    own = UserCallable(settings.name, "spec.training.data", DataError)
    found = own.find()
    arguments = own.bind(found, args, {"seed": seed}, "spec.training.seed")
    # Workers must part the same data, also where the callable splits it at random.
    with _seeded(derive_seed(seed, "data")):
        returned = own.call(found, arguments)
    if all(hasattr(returned, member) for member in _MEMBERS):
        return cast("Dataset", returned)
    place = f"spec.training.data.name {settings.name!r}"
    match returned:
        case (MapStyle() as train, MapStyle() as test):
            num_classes = _num_classes(train, place)
        case (MapStyle() as train, MapStyle() as test, int() as num_classes):
            pass
        case _:
            raise DataError(
                f"{place}: returned {_kind(returned)}, expected (train, test) or (train, test, "
                "num_classes) of data sets with __len__ and __getitem__"
            )
    for name, split in (("train", train), ("test", test)):
        if not len(split):
            raise DataError(f"{place}: the {name} data set is empty")
    return OwnDataset(train, test, num_classes=num_classes, num_processes=num_processes)


def read_item(dataset: MapStyle, index: int) -> tuple[Array, Array]:
    """Return an item's input, float32 or int64, and its target, int64.

    Raises:
        DataError: it fails, or is something else.

    """
    place = f"item {index} of the data set"
    try:
        item = dataset[index]
    except Exception as error:
        raise DataError(f"{place}: {type(error).__name__}: {error}") from error
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise DataError(f"{place}: is {_kind(item)}, expected an input and a target")
    try:
        value, target = (torch.as_tensor(each) for each in item)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            f"{place}: is {_kind(item)}, which torch cannot make tensors of ({error}); transform "
            "images to tensors"
        ) from error
    if value.is_floating_point():
        value = value.to(torch.float32)
    elif value.dtype != torch.int64:
        raise DataError(
            f"{place}: the input is {value.dtype}, expected floats, or int64 for tokens; convert "
            "and normalise it in the data set"
        )
    if target.is_floating_point() or target.is_complex():
        raise DataError(
            f"{place}: the target is {target.dtype}, expected integers: classes or next tokens"
        )
    return value.detach().numpy(), target.to(torch.int64).numpy()


def targets_of(dataset: MapStyle) -> torch.Tensor:
    """Return the class of every item, from the attribute that torchvision's data sets have.

    Raises:
        DataError: it has none.

    """
    targets = getattr(dataset, "targets", None)
    if targets is None or len(targets) != len(dataset):
        raise DataError(
            "spec.training.data.sharding: ByLabel needs the class of every item in the data set's "
            "attribute `targets`; add it, or use Partition or Shared"
        )
    return torch.as_tensor(targets, dtype=torch.int64)


def _num_classes(train: MapStyle, place: str) -> int:
    given = getattr(train, "num_classes", None)
    classes = getattr(train, "classes", None)
    if isinstance(given, int):
        return given
    if classes is not None:
        return len(classes)
    raise DataError(
        f"{place}: how many classes are there? Return (train, test, num_classes), or give the "
        "training data set an attribute num_classes"
    )


def _kind(thing: object) -> str:
    if isinstance(thing, tuple | list):
        return f"({', '.join(type(each).__name__ for each in thing)})"
    return type(thing).__name__


def _copied(inputs: Array, targets: Array) -> Batch:
    return Batch(torch.from_numpy(inputs.copy()), torch.from_numpy(targets))


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed the global random streams of torch, Python and numpy, then put them back."""
    states = random.getstate(), np.random.get_state()  # noqa: NPY002 - what users' transforms draw from
    try:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            random.seed(seed)
            np.random.seed(seed % 2**32)  # noqa: NPY002
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
