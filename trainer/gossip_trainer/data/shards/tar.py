"""Samples in tar files, as WebDataset lays them out: the members of a sample follow each other.

A member's name up to the first dot of its last part is the sample's key, what follows that dot says
what the member is: `n01440764/10026.jpg` and `n01440764/10026.cls` are one sample. A shard is read
from its beginning to its end.
"""

import tarfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from gossip_trainer.errors import DataError


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample of a shard.

    Attributes:
        shard: the file it lies in.
        key: its name there, without what the members are.
        parts: the members' contents, by what they are, in small letters: `jpg`, `cls`.

    """

    shard: Path
    key: str
    parts: Mapping[str, bytes]


def read_shard(
    shard: Path, kinds: Collection[str], wanted: Callable[[int], bool] = lambda _number: True
) -> Iterator[Sample | None]:
    """Yield the samples of a shard in their order there.

    Args:
        shard: the tar file; not compressed.
        kinds: which members to read; others are passed over.
        wanted: told a sample's number in the shard, from 0; None is yielded in place of those that
            it does not want, and their contents are not read.

    Raises:
        DataError: the file cannot be read, is no tar file or is cut off.

    """
    with _opened(shard) as archive:
        by_key = groupby(_members(archive, shard), key=lambda member: _split(member.name)[0])
        for number, (key, members) in enumerate(by_key):
            if wanted(number):
                yield Sample(shard, key, dict(_contents(archive, shard, members, kinds)))
            else:
                yield None


def count_samples(shard: Path) -> int:
    """Return how many samples a shard holds; reads nothing but the members' headers.

    Raises:
        DataError: the file cannot be read, is no tar file or is cut off.

    """
    return sum(1 for _ in read_shard(shard, (), wanted=lambda _number: False))


def _split(name: str) -> tuple[str, str]:
    folder, slash, last = name.rpartition("/")
    stem, _, kind = last.partition(".")
    return f"{folder}{slash}{stem}", kind.lower()


def _members(archive: tarfile.TarFile, shard: Path) -> Iterator[tarfile.TarInfo]:
    while (member := archive.next()) is not None:
        # Else it remembers every member it has passed; typing's TarFile lacks the attribute.
        archive.members.clear()  # type: ignore[attr-defined]
        if member.isfile():
            yield member
    # tarfile takes a damaged header for the end; only a block of zeros is one.
    assert archive.fileobj is not None
    archive.fileobj.seek(archive.offset)
    end = archive.fileobj.read(tarfile.BLOCKSIZE)
    if end != bytes(tarfile.BLOCKSIZE):
        raise _damaged(shard, f"no end mark at byte {archive.offset}")


def _contents(
    archive: tarfile.TarFile,
    shard: Path,
    members: Iterator[tarfile.TarInfo],
    kinds: Collection[str],
) -> Iterator[tuple[str, bytes]]:
    for member in members:
        kind = _split(member.name)[1]
        if kind in kinds:
            file = archive.extractfile(member)
            assert file is not None, "a regular file has contents"
            content = file.read()
            if len(content) < member.size:
                raise _damaged(shard, f"member {member.name} ends early")
            yield kind, content


@contextmanager
def _opened(shard: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(shard, "r:") as archive:
            yield archive
    except tarfile.TarError as error:
        raise _damaged(shard, str(error)) from error
    except OSError as error:
        raise DataError(f"{shard}: cannot be read: {error.strerror or error}") from error


def _damaged(shard: Path, what: str) -> DataError:
    return DataError(f"{shard}: no tar file, compressed, cut off or damaged ({what}); make it anew")
