"""`python -m gossip_packaging`, in a checkout: write what chart and kustomize take from there."""

from __future__ import annotations

from pathlib import Path

from gossip_packaging.chart import generated_files, stale_files
from gossip_packaging.prometheus_rules import PROMETHEUS_RULES, prometheus_rules


def main() -> None:
    """Write what is generated and remove what no longer is."""
    root = Path()
    files = generated_files(root)
    for path in stale_files(root, files):
        (root / path).unlink()
    files[PROMETHEUS_RULES] = prometheus_rules(root)
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
