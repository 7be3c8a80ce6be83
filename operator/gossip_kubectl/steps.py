"""Which steps the processes of a job are at, read from the ends of their logs.

A worker logs its progress about once a second. Whose log cannot be read has no step: this is for
people who look on, and nothing depends on it.
"""

from __future__ import annotations

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from gossip_api.names import CONTAINER, Role
from gossip_kubectl.cluster import pods_path
from gossip_kubectl.errors import Refused, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gossip_kubectl.cluster import Cluster
    from gossip_kubectl.views import ProcessView

TAIL_LINES = 30
MOST_PROCESSES = 20
AT_A_TIME = 8
SECONDS = 3.0


def newest_step(lines: Iterable[str]) -> int | None:
    """Return the step of the last progress that a log tells of; None if it tells of none."""
    step = None
    for line in lines:
        if not line.startswith("{"):
            continue
        try:
            record = json.loads(line)
        except ValueError:
            continue  # a line that something else wrote, or the beginning of which is cut off
        if record.get("event") == "progress" and isinstance(record.get("step"), int):
            step = record["step"]
    return step


def with_steps(
    cluster: Cluster, namespace: str, processes: Sequence[ProcessView]
) -> list[ProcessView]:
    """Fill in the steps of the workers that live, of so many of them as can be asked quickly."""
    asked = [
        p for p in processes if p.member.role is Role.WORKER and p.state in {"ready", "not ready"}
    ][:MOST_PROCESSES]

    def ask(process: ProcessView) -> int | None:
        path = f"{pods_path(namespace)}/{process.pod}/log"
        query = {"container": CONTAINER, "tailLines": str(TAIL_LINES)}
        try:
            return newest_step(cluster.lines(path, seconds=SECONDS, **query))
        except (Refused, Unreachable):
            return None

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        steps = dict(zip((p.pod for p in asked), pool.map(ask, asked), strict=True))
    return [dataclasses.replace(p, step=steps.get(p.pod, p.step)) for p in processes]
