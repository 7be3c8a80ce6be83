"""All files of the chart that are generated or copied, as texts by path."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml

from gossip_packaging.annotated import read_values
from gossip_packaging.readme import readme
from gossip_packaging.rights import rules_of
from gossip_packaging.values_schema import values_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

CHART: Final = Path("charts/gossip-training")
FILES: Final = CHART / "files"
"""Holds nothing that is not generated."""
_MANIFESTS: Final = Path("manifests")
_ROLES: Final = {
    "operator": ("rbac.yaml", "ClusterRole", "gossip-operator"),
    "leader": ("rbac.yaml", "Role", "gossip-operator-leader"),
    "view": ("user-roles.yaml", "ClusterRole", "gossip-training-view"),
    "edit": ("user-roles.yaml", "ClusterRole", "gossip-training-edit"),
}
"""File in the chart: where its rules are in manifests/base."""
_COPIES: Final = {"rules": "*.yaml", "dashboards": "*.json"}


def generated_files(root: Path) -> dict[Path, str]:
    """Generate everything from a checkout; paths are relative to it."""
    chart = yaml.safe_load((root / CHART / "Chart.yaml").read_text(encoding="utf-8"))
    sections = read_values((root / CHART / "values.yaml").read_text(encoding="utf-8"))
    return {
        CHART / "README.md": readme(chart, sections),
        CHART / "values.schema.json": values_schema(sections),
        **dict(_files(root)),
    }


def stale_files(root: Path, generated: dict[Path, str]) -> list[Path]:
    """Find what lies in the chart's folder of files and is generated no more."""
    found = (path.relative_to(root) for path in (root / FILES).rglob("*") if path.is_file())
    return sorted(path for path in found if path not in generated)


def _files(root: Path) -> Iterator[tuple[Path, str]]:
    manifests = root / _MANIFESTS
    definition = manifests / "crd" / "gossiptrainingjobs.yaml"
    yield FILES / "crd.yaml", definition.read_text(encoding="utf-8")
    for name, (file, kind, role) in _ROLES.items():
        text = (manifests / "base" / file).read_text(encoding="utf-8")
        yield FILES / "rights" / f"{name}.yaml", rules_of(text, kind, role)
    for folder, pattern in _COPIES.items():
        for path in sorted((manifests / "monitoring" / folder).glob(pattern)):
            yield FILES / folder / path.name, path.read_text(encoding="utf-8")
