"""Where the processes of a local run leave their metrics when they end."""

from pathlib import Path

from gossip_api.names import Member

METRICS_FOLDER = "metrics"  # in the run directory


def last_page_of(out: Path, member: Member) -> Path:
    """Return the file of one process of the run in the directory `out`."""
    return out / METRICS_FOLDER / f"{member.name}.prom"
