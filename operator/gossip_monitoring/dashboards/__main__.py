"""`python -m gossip_monitoring.dashboards FOLDER`: write the dashboards as JSON files."""

from __future__ import annotations

import argparse
from pathlib import Path

from gossip_monitoring.dashboards.catalogue import DASHBOARDS
from gossip_monitoring.dashboards.document import dashboard_json


def main() -> None:
    """Write all of them into a folder."""
    parser = argparse.ArgumentParser(
        prog="python -m gossip_monitoring.dashboards", description=__doc__
    )
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, dashboard in DASHBOARDS.items():
        (folder / f"{name}.json").write_text(dashboard_json(dashboard), encoding="utf-8")


if __name__ == "__main__":
    main()
