"""The two files of a checkpoint, in a folder.

`tensors.safetensors` holds the tensors and, as JSON in its header, all other facts. `manifest.json`
says how long that file is and what its digest is; it is written last, so that a folder without one
is no checkpoint. Nothing is ever pickled: reading a checkpoint runs no code of whoever wrote it.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import torch
import xxhash
from pydantic import JsonValue
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

TENSORS: Final = "tensors.safetensors"
MANIFEST: Final = "manifest.json"
VERSION: Final = 1
FACTS: Final = "facts"
BLOCK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What one process saved after one of its steps.

    Attributes:
        step: the process's, which also orders its checkpoints.
        tensors: on the CPU, by name.
        facts: everything else, as plain JSON.

    """

    step: int
    tensors: Mapping[str, Tensor]
    facts: Mapping[str, JsonValue]


class DamagedCheckpoint(Exception):  # noqa: N818 - it says what the checkpoint is
    """The files are not those that were written; the text says in what way."""


class _Manifest(msgspec.Struct, frozen=True):
    version: int
    step: int
    bytes: int
    xxh3_128: str


def write_checkpoint(checkpoint: Checkpoint, folder: Path) -> None:
    """Write both files into an empty folder and bring them to the disk.

    Raises:
        OSError, SafetensorError: the disk is full, or cannot be written.

    """
    tensors = {name: tensor.contiguous() for name, tensor in checkpoint.tensors.items()}
    path = folder / TENSORS
    save_file(tensors, path, metadata={FACTS: json.dumps(checkpoint.facts)})
    sync(path)
    manifest = _Manifest(VERSION, checkpoint.step, path.stat().st_size, digest_of(path))
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
    sync(folder / MANIFEST)
    sync(folder)


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read what `write_checkpoint` wrote.

    Raises:
        DamagedCheckpoint: a file is missing, cut off or changed.
        OSError: the disk cannot be read.

    """
    path = folder / TENSORS
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=_Manifest)
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise DamagedCheckpoint(f"{Path(error.filename).name} is missing") from error
    except msgspec.MsgspecError as error:
        raise DamagedCheckpoint(f"{MANIFEST} is malformed: {error}") from error
    if manifest.version != VERSION:
        raise DamagedCheckpoint(f"has format {manifest.version}; this version reads {VERSION}")
    if size != manifest.bytes:
        raise DamagedCheckpoint(f"{TENSORS} has {size} bytes; {manifest.bytes} were written")
    if digest_of(path) != manifest.xxh3_128:
        raise DamagedCheckpoint(f"{TENSORS} is not what was written: its digest differs")
    tensors, facts = _contents(path)
    return Checkpoint(manifest.step, tensors, facts)


def digest_of(path: Path) -> str:
    """Return XXH3-128 of a file, which finds damage; it is no defence against forgery."""
    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def sync(path: Path) -> None:
    """Wait until a file, or the entries of a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _contents(path: Path) -> tuple[dict[str, Tensor], dict[str, JsonValue]]:
    try:
        with safe_open(path, framework="pt") as file:
            # Cloned, for they are views of the mapped file, which is to be removed some time.
            tensors: dict[str, Tensor] = {
                name: file.get_tensor(name).clone(memory_format=torch.contiguous_format)
                for name in file.keys()  # noqa: SIM118 - it is no dictionary
            }
            facts: dict[str, JsonValue] = json.loads((file.metadata() or {})[FACTS])
    except (SafetensorError, KeyError, ValueError) as error:
        raise DamagedCheckpoint(f"{TENSORS} is no checkpoint's: {error}") from error
    return tensors, facts
