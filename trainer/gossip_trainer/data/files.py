"""Finding data files and reading them with care: plain or gzip, never more than they may hold."""

import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from gossip_trainer.errors import DataError

_GZIP_MAGIC = b"\x1f\x8b"
# Deflate cannot expand by more: a header that announces a larger content lies.
_GZIP_MAX_EXPANSION = 1032


def find_files(names: Sequence[str], folders: Sequence[Path]) -> dict[str, Path] | None:
    """Return where each of `names` (or `<name>.gz`) lies: all in the first folder with them all."""
    for folder in folders:
        found = {name: path for name in names if (path := _plain_or_gzip(folder / name))}
        if len(found) == len(names):
            return found
    return None


def _plain_or_gzip(path: Path) -> Path | None:
    candidates = (path, path.with_name(f"{path.name}.gz"))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


@contextmanager
def open_data(path: Path) -> Iterator[tuple[IO[bytes], int]]:
    """Open a data file, decompressing it if its first bytes say gzip.

    Yields:
        The stream, and the most bytes that it can hold.

    Raises:
        DataError: the file cannot be read, is cut off or is not valid gzip; also when reading
            inside the block meets that.

    """
    try:
        with path.open("rb") as raw:
            compressed = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            size = path.stat().st_size
            if not compressed:
                yield raw, size
            else:
                with gzip.open(raw) as stream:
                    yield cast("IO[bytes]", stream), size * _GZIP_MAX_EXPANSION
    except EOFError as error:
        raise DataError(f"{path}: the file is cut off; fetch it again") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: damaged gzip data ({error}); fetch it again") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def read_exactly_into(stream: IO[bytes], target: memoryview, path: Path) -> None:
    """Fill `target` from `stream` and make sure that nothing follows.

    Raises:
        DataError: the file holds less or more; the text names the file, found and expected bytes.

    """
    filled = 0
    # A plain file opened for reading and a gzip file both have readinto; typing's IO lacks it.
    readinto = stream.readinto  # type: ignore[attr-defined]
    while filled < len(target) and (count := readinto(target[filled:])):
        filled += count
    if filled < len(target):
        raise DataError(
            f"{path}: cut off: its header announces {len(target)} bytes of data, found {filled}; "
            "fetch it again"
        )
    if stream.read(1):
        raise DataError(
            f"{path}: holds more than the {len(target)} bytes of data its header announces; "
            "fetch it again"
        )


def locate(
    what: str,
    names: Sequence[str],
    *,
    given: Sequence[Path],
    usual: Sequence[Path],
    fetch: Callable[[], Path],
    advice: str,
) -> dict[str, Path]:
    """Find a data set's files: where the job says, else in the usual places, else by download.

    Args:
        what: the data set's name.
        names: the files it needs, each also accepted as `<name>.gz`.
        given: folders that the job names; if there are any, nothing else is tried.
        usual: where the files lie on many machines.
        fetch: downloads them and returns their folder.
        advice: what the user can do, for the error.

    Raises:
        DataError: says where it looked, for which files, and what to do.

    """
    if found := find_files(names, given or usual):
        return found
    problem = (
        f"{what}: not all of {', '.join(names)} (each plain or .gz) are in one of the folders "
        f"{', '.join(map(str, given or usual))}"
    )
    if given:
        raise DataError(f"{problem}; correct spec.training.data.root, or remove it: {advice}")
    try:
        fetched = find_files(names, [fetch()])
    except DataError as error:
        raise DataError(f"{problem}; {error}; {advice}") from error
    assert fetched is not None, "a download that succeeds leaves all files"
    return fetched
