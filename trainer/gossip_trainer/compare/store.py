"""The cells that a comparison has finished, one JSON object a line, so that it can be resumed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from gossip_trainer.compare.errors import InvalidComparison
from gossip_trainer.compare.records import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CELLS = "cells.jsonl"


class Store:
    """What is kept in one directory.

    Attributes:
        found: finding by key, the newest of equals.

    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / CELLS
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._path.touch()  # marks the directory as one that may be resumed
            content = self._path.read_bytes()
        except OSError as error:
            raise InvalidComparison(
                f"--out {directory}: {error.strerror}; name a folder you can write to"
            ) from error
        # What follows the last line break was cut off by the end of its writer.
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            os.truncate(self._path, len(whole))
        self.found: dict[str, Finding] = {each.key: each for each in self._read(whole)}

    def keep(self, finding: Finding) -> None:
        """Append a finding; it is on the disk when this returns."""
        with self._path.open("ab", buffering=0) as file:
            file.write(msgspec.json.encode(finding) + b"\n")
            os.fsync(file.fileno())
        self.found[finding.key] = finding

    def _read(self, content: bytes) -> Iterator[Finding]:
        for number, line in enumerate(content.splitlines(), 1):
            try:
                yield msgspec.json.decode(line, type=Finding)
            except msgspec.MsgspecError as error:
                raise InvalidComparison(
                    f"{self._path}:{number}: is no finding of a cell ({error}); remove the line, "
                    "or name another folder with --out"
                ) from error
