"""From the job's `data` to a data set."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from gossip_api.training import Data
from gossip_trainer.data.dataset import Dataset
from gossip_trainer.data.images.settings import ARGUMENTS as IMAGE_ARGUMENTS
from gossip_trainer.data.sources import (
    cifar10,
    digits,
    fashion_mnist,
    imagefolder,
    own,
    quadratic,
    synthetic,
    text,
    webdataset,
)
from gossip_trainer.errors import DataError


@dataclass(frozen=True, slots=True)
class Source:
    """A way to get a data set, and the names of the arguments it understands."""

    load: Callable[[Data, int], Dataset]
    arguments: Collection[str] = ()


SOURCES = {
    "digits": Source(lambda _data, _seed: digits.load()),
    "fashion-mnist": Source(lambda data, _seed: fashion_mnist.load(_root(data))),
    "cifar10": Source(lambda data, _seed: cifar10.load(_root(data))),
    "imagefolder": Source(
        lambda data, _seed: imagefolder.load(data.args, _root(data)), arguments=IMAGE_ARGUMENTS
    ),
    "synthetic": Source(
        lambda data, seed: synthetic.load(data.args, seed), arguments=synthetic.ARGUMENTS
    ),
    "quadratic": Source(
        lambda data, seed: quadratic.load(data.args, seed), arguments=quadratic.ARGUMENTS
    ),
    "webdataset": Source(
        lambda data, _seed: webdataset.load(data.args, _root(data)), arguments=webdataset.ARGUMENTS
    ),
    "text": Source(lambda data, _seed: text.load(data.args, _root(data)), arguments=text.ARGUMENTS),
}


def load_dataset(settings: Data, seed: int) -> Dataset:
    """Load the job's data set; every worker of a job gets the same.

    Args:
        settings: the job's `data`.
        seed: the job's seed, for data that is generated.

    Raises:
        DataError: files are missing or malformed, or an argument is unknown or has a wrong value.

    """
    if ":" in settings.name:
        return own.load(settings, seed)
    source = SOURCES[settings.name]
    for name in settings.args:
        if name not in source.arguments:
            raise _unknown_argument(name, settings.name, source.arguments)
    return source.load(settings, seed)


def _root(data: Data) -> Path | None:
    return Path(data.root).expanduser() if data.root else None


def _unknown_argument(name: str, source: str, allowed: Collection[str]) -> DataError:
    near = get_close_matches(name, allowed, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    known = f"allowed are {', '.join(allowed)}" if allowed else "it takes none; remove it"
    return DataError(f"spec.training.data.args.{name}: unknown argument of {source}{hint}; {known}")
