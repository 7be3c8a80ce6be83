"""`python -m gossip_monitoring.rules FOLDER`: write the files of rules that Prometheus loads."""

from __future__ import annotations

import argparse
from pathlib import Path

from gossip_monitoring.rules.document import FILES, rules_yaml


def main() -> None:
    """Write all of them into a folder."""
    parser = argparse.ArgumentParser(prog="python -m gossip_monitoring.rules", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for file in FILES:
        (folder / f"{file}.yaml").write_text(rules_yaml(file), encoding="utf-8")


if __name__ == "__main__":
    main()
