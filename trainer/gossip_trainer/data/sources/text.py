"""Text to predict token by token: any text file byte by byte, or shards of tokens made beforehand.

An example is a window of `context` tokens; its targets are the same tokens moved by one. Windows
lie side by side in the files, so that an epoch reads every token once, in an order of its own.
"""

import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from gossip_trainer.data.arguments import integer, wrong
from gossip_trainer.data.dataset import Batch, Classification
from gossip_trainer.data.shards.names import find_shards
from gossip_trainer.data.shards.tokens import TokenWindows
from gossip_trainer.data.stream import BatchStream, IndexedStream, StreamPlan
from gossip_trainer.errors import DataError

ARGUMENTS = ("train", "test", "context", "vocabulary", "dtype", "testExamples")
_BYTES = 256
_HELD_OUT = 10  # one window of ten, the last ones, where no test file is named
_MAX_TEST_SCORES = 2**24  # 64 MiB of float32 for the outputs of one test batch


@dataclass(frozen=True, slots=True)
class Reading:
    """How files are to be read.

    Attributes:
        context: the length of an example.
        vocabulary: how many different tokens there are.
        dtype: of a token in the files.
        test_examples: how many windows a test reads, spread evenly; None: all.

    """

    context: int = 128
    vocabulary: int = _BYTES
    dtype: str = "uint8"
    test_examples: int | None = None

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, object], *, tokens: bool) -> Self:
        """Check what the job file says.

        Args:
            arguments: of the data set.
            tokens: whether the files hold tokens made beforehand, and not text.

        Raises:
            DataError: names the argument, what it is and what is allowed.

        """
        default = cls()
        vocabulary, dtype = default.vocabulary, default.dtype
        if tokens:
            vocabulary = integer("vocabulary", arguments.get("vocabulary"), 2)
            given = arguments.get("dtype", "uint16")
            if given not in ("uint16", "uint32"):
                raise wrong("dtype", given, "uint16 or uint32")
            dtype = str(given)
        for name in ("vocabulary", "dtype"):
            if not tokens and name in arguments:
                raise DataError(
                    f"spec.training.data.args.{name}: is for files of tokens, *.bin; text is read "
                    "byte by byte, which makes a vocabulary of 256; remove it"
                )
        limit = arguments.get("testExamples")
        return cls(
            context=integer("context", arguments.get("context", default.context), 1),
            vocabulary=vocabulary,
            dtype=dtype,
            test_examples=None if limit is None else integer("testExamples", limit, 1),
        )


class TextDataset(Classification):
    """Windows of tokens; inputs and targets are int64 of shape (num_examples, context).

    Args:
        train: the windows to learn from.
        test: the held-out ones; may be others than `train`'s.
        num_examples: how many windows of `train`, from the first, are for training.
        test_numbers: the windows of `test` that a test reads.
        reading: how they were read.

    """

    def __init__(
        self,
        train: TokenWindows,
        test: TokenWindows,
        *,
        num_examples: int,
        test_numbers: Sequence[int],
        reading: Reading,
    ) -> None:
        self._train = train
        self._test = test
        self._test_numbers = test_numbers
        self.num_examples = num_examples
        self.input_shape = (reading.context,)
        self.num_classes = reading.vocabulary
        self.train_targets = torch.zeros(num_examples, dtype=torch.int64)

    def train_batch(self, indices: Tensor) -> Batch:
        """Return the windows at `indices`."""
        return _next_tokens(self._train.read(indices.tolist()))

    def test_batches(self, batch_size: int) -> Iterator[Batch]:
        """Yield the held-out windows in order; fewer at a time where their scores would be many."""
        scores_of_one = self.input_shape[0] * self.num_classes
        size = max(1, min(batch_size, _MAX_TEST_SCORES // scores_of_one))
        for begin in range(0, len(self._test_numbers), size):
            yield _next_tokens(self._test.read(self._test_numbers[begin : begin + size]))

    def stream(self, plan: StreamPlan, state: Mapping[str, Any] | None = None) -> BatchStream:
        """Return a worker's endless stream of training batches, from `state` on."""
        return IndexedStream(self, plan, state)


def load(arguments: Mapping[str, object], root: Path | None) -> TextDataset:
    """Map the files that the job names, or the modules that came with Python.

    Raises:
        DataError: a file is missing or malformed, there is too little text, or an argument is
            wrong.

    """
    files = _training_files(arguments, root)
    tokens = _are_tokens(files)
    reading = Reading.from_arguments(arguments, tokens=tokens)
    train = _windows(files, reading)
    if "test" in arguments:
        test_files = find_shards("test", arguments["test"], root)
        if _are_tokens(test_files) != tokens:
            raise _two_kinds()
        test = _windows(test_files, reading)
        num_examples, numbers = len(train), range(len(test))
    else:
        test = train
        num_examples = len(train) - -(-len(train) // _HELD_OUT)
        numbers = range(num_examples, len(train))
    if not num_examples or not numbers:
        raise DataError(
            f"spec.training.data.args.context: the files make {num_examples} training and "
            f"{len(numbers)} test examples of {reading.context} tokens; both need at least 1: "
            "shorten the context or give longer files"
        )
    return TextDataset(
        train,
        test,
        num_examples=num_examples,
        test_numbers=_spread(numbers, reading.test_examples),
        reading=reading,
    )


def _training_files(arguments: Mapping[str, object], root: Path | None) -> tuple[Path, ...]:
    if "train" in arguments:
        return find_shards("train", arguments["train"], root)
    if root is not None or "test" in arguments:
        raise DataError(
            "spec.training.data.args.train: is required where root or args.test is given: the "
            "files to learn from"
        )
    folder = Path(sysconfig.get_path("stdlib"))
    files = tuple(sorted(folder.glob("*.py")))
    if not files:
        raise DataError(
            f"text: the sources of Python's own modules are not in {folder}; name files in "
            "spec.training.data.args.train"
        )
    return files


def _windows(files: Sequence[Path], reading: Reading) -> TokenWindows:
    return TokenWindows(
        files, dtype=reading.dtype, context=reading.context, vocabulary=reading.vocabulary
    )


def _are_tokens(files: Sequence[Path]) -> bool:
    kinds = {file.suffix == ".bin" for file in files}
    if len(kinds) > 1:
        raise _two_kinds()
    return kinds.pop()


def _two_kinds() -> DataError:
    return DataError(
        "spec.training.data.args: train and test name both text and files of tokens, *.bin; give "
        "one kind"
    )


def _next_tokens(windows: Tensor) -> Batch:
    return Batch(windows[:, :-1].contiguous(), windows[:, 1:].contiguous())


def _spread(numbers: range, limit: int | None) -> Sequence[int]:
    if limit is None or limit >= len(numbers):
        return numbers
    return [numbers[i * len(numbers) // limit] for i in range(limit)]
