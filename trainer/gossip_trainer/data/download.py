"""Bringing data files into a cache folder, once, where there is a network.

Several processes may do so at the same time: each downloads into a folder of its own and moves the
finished files into place, so that nobody ever reads half a file.
"""

import os
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gossip_trainer.errors import DataError

_SECONDS_WITHOUT_PROGRESS = 30.0


@dataclass(frozen=True, slots=True)
class Resource:
    """A file on the network; `md5` is what its publisher states."""

    url: str
    md5: str

    @property
    def name(self) -> str:
        """The file's name, without its folder."""
        return self.url.rpartition("/")[2]


Fetch = Callable[[Resource, Path], None]
"""Brings a resource into a folder, under its own name, checked against its md5."""


def cache_folder(dataset: str) -> Path:
    """Return where downloads of `dataset` are kept; need not exist yet."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "gossip-training" / dataset


def fetch_with_torchvision(resource: Resource, folder: Path) -> None:
    """Download through torchvision, which also checks the md5."""
    from torchvision.datasets.utils import download_url  # noqa: PLC0415 - takes seconds to import

    download_url(resource.url, folder, filename=resource.name, md5=resource.md5)


def download(
    resources: Sequence[Resource],
    target: Path,
    *,
    unpack: Callable[[Path], Sequence[Path]] = lambda path: [path],
    fetch: Fetch = fetch_with_torchvision,
) -> None:
    """Bring `resources` into the folder `target`.

    Args:
        resources: what to fetch.
        target: made if it does not exist.
        unpack: turns a fetched file into the files to keep, beside it.
        fetch: how to fetch one.

    Raises:
        DataError: there is no network, the server does not answer or answers with something else,
            or the folder cannot be written.

    """
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target, prefix="incomplete-") as folder:
            for resource in resources:
                with _network_deadline():
                    fetch(resource, Path(folder))
                for path in unpack(Path(folder) / resource.name):
                    path.replace(target / path.name)
    except (OSError, RuntimeError) as error:  # torchvision: RuntimeError if the md5 differs
        raise DataError(f"cannot download into {target}: {error}") from error


@contextmanager
def _network_deadline() -> Iterator[None]:
    # torchvision sets no timeout on its sockets and offers no place to give one.
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_SECONDS_WITHOUT_PROGRESS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
