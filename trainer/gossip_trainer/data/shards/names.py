"""From what the job calls its shards to files: `train-{000000..000146}.tar`, `docs/*.md`."""

import re
from collections.abc import Iterator
from glob import has_magic
from pathlib import Path

from gossip_trainer.errors import DataError

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
_MAX_SHARDS = 1_000_000  # more is a slip of the pen


def find_shards(argument: str, value: object, root: Path | None) -> tuple[Path, ...]:
    """Return the files that an argument names, in the order it names them.

    Args:
        argument: its name, for errors.
        value: a path or a list of paths. `{000..146}` in a path counts, with leading zeros as in
            the first number; `*`, `?`, `[...]` and `**` match what is there, sorted by name.
        root: the folder that relative paths start from; the current one by default.

    Raises:
        DataError: `value` is no such thing, or names a file that is not there.

    """
    place = f"spec.training.data.args.{argument}"
    patterns = [value] if isinstance(value, str) else value
    if not (isinstance(patterns, list | tuple) and patterns) or not all(
        isinstance(pattern, str) and pattern for pattern in patterns
    ):
        raise DataError(f"{place}: got {value!r}, expected a path or a list of paths")
    found: list[Path] = []
    for pattern in patterns:
        for name in expand_ranges(pattern, place):
            found += _matches(name, place, root)
    return tuple(found)


def expand_ranges(pattern: str, place: str) -> Iterator[str]:
    """Yield `pattern` with every number of its first range, and so on with the ranges after it.

    Raises:
        DataError: a range runs backwards or is too long.

    """
    match = _RANGE.search(pattern)
    if match is None:
        yield pattern
        return
    first, last = match.groups()
    if not 0 <= int(last) - int(first) < _MAX_SHARDS:
        raise DataError(
            f"{place}: {match[0]} in {pattern!r} must run from a smaller number to a larger one, "
            f"over at most {_MAX_SHARDS} files"
        )
    for number in range(int(first), int(last) + 1):
        before, after = pattern[: match.start()], pattern[match.end() :]
        yield from expand_ranges(f"{before}{number:0{len(first)}d}{after}", place)


def _matches(name: str, place: str, root: Path | None) -> list[Path]:
    path = (root or Path()) / Path(name).expanduser()
    if has_magic(name):
        folder = Path(path.anchor)
        found = sorted(folder.glob(str(path.relative_to(folder))))
        files = [match for match in found if match.is_file()]
        if not files:
            raise DataError(f"{place}: no file matches {path}; correct it or data.root")
        return files
    if not path.is_file():
        raise DataError(f"{place}: {path} is not there or is no file; correct it or data.root")
    return [path]
