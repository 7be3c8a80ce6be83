"""Writes small shards in the layout of WebDataset."""

import io
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path


def write_shard(path: Path, samples: Iterable[tuple[str, Mapping[str, bytes]]]) -> Path:
    """Write samples, each a key and its members' contents by their endings."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for key, parts in samples:
            for kind, content in parts.items():
                member = tarfile.TarInfo(f"{key}.{kind}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return path
