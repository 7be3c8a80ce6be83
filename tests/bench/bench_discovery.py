"""How soon after a worker is ready every other process of the job has it in its roster.

    python tests/bench/bench_discovery.py [--watchers 100] [--workers 50]

Brings up a control plane with simulated nodes (tests/testbed) and opens as many rosters as a job of
that size has, all in this process, with the rights of the job's pods. Workers come one after the
other. The clock of each begins when one more watch, of the pods, is told that it is ready.
"""

import argparse
import json
import math
import statistics
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "testbed")]

from slices import JobOfSlices, settle  # noqa: E402 - found on the path above
from testbed import lifecycle  # noqa: E402
from testbed.bed import Bed, Kind  # noqa: E402

from gossip_trainer.membership.roster import Roster  # noqa: E402


class Arrivals:
    """When each roster first had each worker."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.seen: dict[int, dict[int, float]] = {}

    def of(self, watcher: int):
        def note(roster: Roster) -> None:
            now = time.monotonic()
            with self._lock:
                for rank in roster.workers():
                    self.seen.setdefault(rank, {}).setdefault(watcher, now)

        return note


class Readiness(threading.Thread):
    """Notes when the API server has it that a pod is ready."""

    def __init__(self, bed: Bed, namespace: str, seconds: float) -> None:
        super().__init__(daemon=True)
        self._bed = bed
        self._path = f"/api/v1/namespaces/{namespace}/pods"
        self._seconds = seconds
        self.at: dict[str, float] = {}
        self.is_over = False

    def run(self) -> None:
        try:
            self._watch()
        except OSError:
            if not self.is_over:  # else the control plane was taken down
                raise

    def _watch(self) -> None:
        for _, pod in self._bed.api.watch(self._path, seconds=self._seconds):
            conditions = pod.get("status", {}).get("conditions", ())
            if ("Ready", "True") in {(each["type"], each["status"]) for each in conditions}:
                self.at.setdefault(pod["metadata"]["name"], time.monotonic())


def measure(bed: Bed, namespace: str, folder: Path, watchers: int, workers: int) -> dict:
    job, arrivals = JobOfSlices(bed, namespace, folder), Arrivals()
    access = job.access()
    readiness = Readiness(bed, namespace, 3600)
    with ExitStack() as stack:
        for watcher in range(watchers):
            source = job.watch(access, on_roster=arrivals.of(watcher))
            stack.enter_context(closing(source))
        time.sleep(5)
        readiness.start()
        cpu = time.process_time()
        for rank in range(workers):
            job.start(f"worker-{rank}-0")
            settle(
                lambda rank=rank: len(arrivals.seen.get(rank, ())) == watchers,
                f"worker {rank} in every roster",
                seconds=60,
            )
        cpu = time.process_time() - cpu
        delays = sorted(
            seen - readiness.at[f"mnist-worker-{rank}-0"]
            for rank, each in arrivals.seen.items()
            for seen in each.values()
        )
    readiness.is_over = True
    return {
        "watchers": watchers,
        "workers": workers,
        "median_seconds": round(statistics.median(delays), 4),
        "p99_seconds": round(delays[math.ceil(0.99 * len(delays)) - 1], 4),
        "max_seconds": round(delays[-1], 4),
        "cpu_seconds_per_entry_and_watcher": round(cpu / (watchers * workers), 6),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--watchers", type=int, default=100)
    parser.add_argument("--workers", type=int, default=50)
    options = parser.parse_args()
    bed = lifecycle.bring_up(Kind.CONTROL_PLANE)
    try:
        with bed.namespace() as namespace, tempfile.TemporaryDirectory() as folder:
            found = measure(bed, namespace, Path(folder), options.watchers, options.workers)
            print(json.dumps(found, indent=2))
    finally:
        lifecycle.release(bed)


if __name__ == "__main__":
    main()
