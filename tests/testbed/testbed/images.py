"""Container images written by hand, as archives of the OCI layout: one layer and no registry."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

PAUSE = "testbed.local/pause:1"
"""What holds a pod's namespaces."""

HOST = "testbed.local/host:1"
"""Nothing but folders: nodes show their containers the host's programs in them."""

_VERSION = metadata.version("gossip-training")

PRODUCT = (
    f"testbed.local/gossip-operator:{_VERSION}",
    f"testbed.local/gossip-trainer:{_VERSION}-cpu",
)
"""Further names of the host's image: what a chart with the registry `testbed.local` asks for."""

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Image:
    """What an image consists of; paths are relative to its root.

    Attributes:
        name: with its tag.
        folders: to be made.
        links: what symbolic links lead to.
        files: contents; all are executable.
        entrypoint: the command.
        path: where commands are looked for.
        python_path: where Python looks for modules beside its own; empty for nowhere.

    """

    name: str
    folders: Sequence[str]
    links: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    entrypoint: Sequence[str] = ()
    path: str = SYSTEM_PATH
    python_path: str = ""

    def write(self, path: Path) -> None:
        """Write the archive."""
        layer = self._layer()
        packed = gzip.compress(layer, 1, mtime=0)
        config = _json(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {
                    "Entrypoint": list(self.entrypoint),
                    "Env": [f"PATH={self.path}", f"PYTHONPATH={self.python_path}"],
                },
                "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
            }
        )
        kind = "application/vnd.oci.image"
        manifest = _json(
            {
                "schemaVersion": 2,
                "mediaType": f"{kind}.manifest.v1+json",
                "config": _descriptor(f"{kind}.config.v1+json", config),
                "layers": [_descriptor(f"{kind}.layer.v1.tar+gzip", packed)],
            }
        )
        named = _descriptor(f"{kind}.manifest.v1+json", manifest) | {
            "annotations": {"io.containerd.image.name": self.name}
        }
        index = {"schemaVersion": 2, "mediaType": f"{kind}.index.v1+json", "manifests": [named]}
        blobs = {
            f"blobs/sha256/{_digest(blob).removeprefix('sha256:')}": blob
            for blob in (config, packed, manifest)
        }
        layout = {"oci-layout": _json({"imageLayoutVersion": "1.0.0"}), "index.json": _json(index)}
        with tarfile.open(path, "w") as archive:
            for name, content in (layout | blobs).items():
                _add(archive, name, tarfile.REGTYPE, content=content)

    def _layer(self) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for folder in self.folders:
                mode = 0o1777 if Path(folder).name == "tmp" else 0o755
                _add(archive, folder, tarfile.DIRTYPE, mode=mode)
            for name, target in self.links.items():
                _add(archive, name, tarfile.SYMTYPE, target=target)
            for name, content in self.files.items():
                _add(archive, name, tarfile.REGTYPE, content=content)
        return buffer.getvalue()


def pause(program: Path) -> Image:
    files = {"pause": program.read_bytes()}
    return Image(PAUSE, ("dev", "etc", "proc", "sys"), files=files, entrypoint=("/pause",))


def host(path: str, python_path: str) -> Image:
    """Make the image in which commands of the host are found, first those of `path`."""
    folders = "dev etc home proc root run sys tmp usr var var/tmp work"
    files = {
        "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
        "etc/group": b"root:x:0:\nnogroup:x:65534:\n",
        "etc/nsswitch.conf": b"passwd: files\ngroup: files\nhosts: files dns\n",
    }
    links = {name: f"usr/{name}" for name in ("bin", "lib", "lib64", "sbin")}
    search = f"{path}:{SYSTEM_PATH}"
    return Image(HOST, folders.split(), links, files, path=search, python_path=python_path)


def _add(
    archive: tarfile.TarFile,
    name: str,
    kind: bytes,
    *,
    content: bytes = b"",
    target: str = "",
    mode: int = 0o755,
) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.linkname, entry.size = kind, mode, target, len(content)
    archive.addfile(entry, io.BytesIO(content))


def _descriptor(kind: str, blob: bytes) -> dict:
    return {"mediaType": kind, "digest": _digest(blob), "size": len(blob)}


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
