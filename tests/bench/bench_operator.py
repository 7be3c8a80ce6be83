"""What the operator costs and how fast it is, on a real API server with simulated nodes.

Parts: `deletions` (a deleted worker's successor, beside an Indexed Job), `nodes` (lost nodes),
`many` (200 jobs of 8 workers, then a new operator), `large` (one job of 1,000 workers), `idle` (500
jobs that have ended).

Run: python tests/bench/bench_operator.py [--qps 50 400] [PART ...]
It prints a table and writes docs/benchmarks/operator.json.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "tests/testbed")]

from cluster_jobs import Jobs, define, job  # noqa: E402
from operator_speed import deletions, lost_nodes  # noqa: E402
from operators import Operator  # noqa: E402
from pod_history import PodHistory  # noqa: E402
from testbed import lifecycle  # noqa: E402
from testbed.bed import Bed, Kind  # noqa: E402
from testbed.simulated_nodes import restore_node  # noqa: E402
from testbed.waiting import wait_for  # noqa: E402

NAMESPACE = "bench"
RESULT = ROOT / "docs/benchmarks/operator.json"
PART_SECONDS = 400.0
VERBS = ("get", "list", "create", "apply", "patch", "update", "delete")
Figures = dict[str, Any]


class Bench:
    """A bed, and an operator for all of it."""

    def __init__(self, bed: Bed, folder: Path) -> None:
        self.bed = bed
        self._folder = folder

    @contextmanager
    def operator(self, qps: float) -> Iterator[Operator]:
        """Run an operator with that limit of requests per second."""
        options = ("--no-leader-election", "--qps", str(qps), "--burst", str(int(2 * qps)))
        operator = Operator(self.bed.kubeconfig, self._folder / "log", options=options)
        operator.start()
        try:
            yield operator
        finally:
            operator.kill()

    @contextmanager
    def jobs(self) -> Iterator[tuple[Jobs, PodHistory]]:
        """Make a namespace; it goes with the bed."""
        self.bed.api.create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        account = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/default"
        wait_for(lambda: self.bed.api.exists(account), "the namespace's account")
        history = PodHistory(self.bed, NAMESPACE)
        history.start()
        yield Jobs(self.bed, NAMESPACE), history
        history.stop()


def bench_deletions(bench: Bench, qps: float) -> Figures:
    """Delete 64 workers, and 16 pods of an Indexed Job."""
    with bench.operator(qps), bench.jobs() as (jobs, history):
        name = jobs.create(job(replicas=8))
        jobs.wait_ready(name, 8)
        ours = deletions(jobs, history, name, 64)
        theirs = [seconds for _ in range(2) for seconds in indexed_deletions(jobs, history)]
    return {"worker": spread(ours), "pod of an Indexed Job": spread(theirs)}


def indexed_deletions(jobs: Jobs, history: PodHistory) -> list[float]:
    """Make an Indexed Job, delete its 8 pods once and wait for their successors."""
    name = f"indexed-{time.monotonic_ns():x}"
    template = {"containers": [{"name": "main", "image": "none"}], "restartPolicy": "Never"}
    spec = {
        "completionMode": "Indexed",
        "completions": 8,
        "parallelism": 8,
        "backoffLimitPerIndex": 100,
        "template": {"spec": template},
    }
    path = f"/apis/batch/v1/namespaces/{jobs.namespace}/jobs"
    jobs.bed.api.create(path, {"metadata": {"name": name}, "spec": spec})

    def of(index: int) -> list[Any]:
        place = f"{name}-{index}"
        return [p for p in list(history.lives.values()) if p.name.rpartition("-")[0] == place]

    wait_for(lambda: all(of(index) for index in range(8)), "pods of the Indexed Job")
    time.sleep(4)
    deleted = {}
    for index in range(8):
        deleted[index] = time.monotonic()
        (life,) = of(index)
        jobs.bed.api.delete(f"{jobs.pods_path}/{life.name}", {"gracePeriodSeconds": 30})
    wait_for(lambda: all(len(of(index)) > 1 for index in range(8)), "successors", seconds=90)
    found = [of(index)[1].seen - at for index, at in deleted.items()]
    jobs.bed.api.delete(f"{path}/{name}", {"propagationPolicy": "Background"})
    return found


def bench_nodes(bench: Bench, qps: float) -> Figures:
    """Lose six nodes."""
    with bench.operator(qps), bench.jobs() as (jobs, history):
        name = jobs.create(job(replicas=16))
        jobs.wait_ready(name, 16)
        nodes, seconds = lost_nodes(jobs, history, name, 6)
        for node in nodes:
            restore_node(bench.bed.api, node)
    return {"mark to successor": spread(seconds)}


def bench_many(bench: Bench, qps: float, num_jobs: int = 200) -> Figures:
    """Bring up many jobs, and start the operator anew while they run."""
    with bench.jobs() as (jobs, history):
        with bench.operator(qps) as operator:
            start = time.monotonic()
            with ThreadPoolExecutor(4) as pool:
                bodies = [job(replicas=8) for _ in range(num_jobs)]
                names = list(pool.map(jobs.create, bodies))
            applied = time.monotonic() - start
            until_ready(jobs, num_jobs, 8)
            figures = {"applied s": applied, "ready s": time.monotonic() - start}
            figures |= costs(operator, num_jobs)
            until_quiet(operator)
        history.catch_up()
        before = set(history.lives)
        start = time.monotonic()
        with bench.operator(qps) as operator:
            synced = time.monotonic() - start
            time.sleep(20)
            restart = {"synced s": synced, "writes": operator.writes()} | use(operator)
            restart |= {f"{verb} requests": num_requests(operator, verb=verb) for verb in VERBS}
        history.catch_up()
        deleted = [life for life in history.lives.values() if life.deleted and life.was_live]
        restart |= {"pods created": len(set(history.lives) - before), "pods deleted": len(deleted)}
        assert len(names) == num_jobs
    return {"come up": figures, "new operator": restart}


def bench_large(bench: Bench, qps: float, replicas: int = 1000) -> Figures:
    """Bring up one job of many workers."""
    with bench.operator(qps) as operator, bench.jobs() as (jobs, _):
        start = time.monotonic()
        name = jobs.create(job(replicas=replicas))
        jobs.wait_ready(name, replicas, seconds=PART_SECONDS)
        figures = {"ready s": time.monotonic() - start} | costs(operator, 1)
        figures["status bytes"] = len(json.dumps(jobs.get(name)["status"]))
    return figures


def bench_idle(bench: Bench, qps: float, num_jobs: int = 500) -> Figures:
    """Look at an operator that has 500 jobs which have ended, and nothing to do, for a minute."""
    with bench.jobs() as (jobs, _):
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: end(jobs, jobs.create(job())), range(num_jobs)))
        with bench.operator(qps) as operator:
            time.sleep(20)  # it says of each that it has seen this generation
            cpu, requests = cpu_seconds(operator), num_requests(operator)
            time.sleep(60)
            return {
                "CPU %": (cpu_seconds(operator) - cpu) / 60 * 100,
                "requests per minute": num_requests(operator) - requests,
                "memory MiB": memory_mib(operator),
            }


def end(jobs: Jobs, name: str) -> None:
    """Let a job have ended, by its status alone."""
    ended = {"finished": True, "state": "Succeeded", "completionTime": "2026-01-01T00:00:00Z"}
    jobs.bed.api.patch(f"{jobs.path}/{name}/status", {"status": ended})


def until_ready(jobs: Jobs, num_jobs: int, replicas: int) -> None:
    """Wait until all jobs say that all their workers are ready."""
    end_at = time.monotonic() + PART_SECONDS

    def are_ready() -> bool:
        found = jobs.bed.api.list(jobs.path)
        ready = [j.get("status", {}).get("workers", {}).get("ready") for j in found]
        return ready == [replicas] * num_jobs

    while not are_ready():
        if time.monotonic() > end_at:
            raise TimeoutError(f"{num_jobs} jobs are not ready after {PART_SECONDS:.0f} s")
        time.sleep(1.0)


def until_quiet(operator: Operator) -> None:
    """Wait until the operator has written nothing for a good while."""
    end_at, last = time.monotonic() + PART_SECONDS, -1.0
    while (now := operator.writes()) != last:
        if time.monotonic() > end_at:
            raise TimeoutError("the operator goes on writing")
        last = now
        time.sleep(35)


def costs(operator: Operator, num_jobs: int) -> Figures:
    """Return what it took, with the requests per job."""
    verbs = {verb: num_requests(operator, verb=verb) / num_jobs for verb in VERBS}
    return use(operator) | {f"{verb} per job": number for verb, number in verbs.items()}


def use(operator: Operator) -> Figures:
    return {"CPU s": cpu_seconds(operator), "memory MiB": memory_mib(operator)}


def num_requests(operator: Operator, **labels: str) -> float:
    return operator.metric("gossip_operator_api_requests_total", **labels)


def cpu_seconds(operator: Operator) -> float:
    return operator.metric("process_cpu_seconds_total")


def memory_mib(operator: Operator) -> float:
    return operator.metric("process_resident_memory_bytes") / 2**20


def spread(seconds: list[float]) -> Figures:
    return {
        "p50 s": median(seconds),
        "p95 s": quantiles(seconds, n=20)[-1],
        "largest s": max(seconds),
        "number": len(seconds),
    }


PARTS: dict[str, Callable[[Bench, float], Figures]] = {
    "deletions": bench_deletions,
    "nodes": bench_nodes,
    "many": bench_many,
    "large": bench_large,
    "idle": bench_idle,
}
PACED = frozenset({"many", "large"})
"""What depends on how many requests per second the operator may make."""


def flat(figures: Figures, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in figures.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}, ")
        else:
            yield prefix + name, value


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--qps", nargs="+", type=float, default=[50.0], help="requests per second")
    options = parser.parse_args()
    os.chdir(ROOT)
    known = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    for part in options.parts or PARTS:
        for qps in options.qps if part in PACED else options.qps[:1]:
            key = f"{part}, {qps:g} requests/s" if part in PACED else part
            known[key] = figures = measure(part, qps)
            RESULT.write_text(json.dumps(known, indent=2) + "\n")
            print(f"\n{key}")
            for name, value in flat(figures):
                print(f"  {name:40} {value}", flush=True)


def measure(part: str, qps: float) -> Figures:
    """Measure one part on a bed of its own."""
    bed = lifecycle.bring_up(Kind.CONTROL_PLANE)
    try:
        define(bed)
        with tempfile.TemporaryDirectory() as folder:
            return rounded(PARTS[part](Bench(bed, Path(folder)), qps)) | {"taken": taken()}
    finally:
        lifecycle.release(bed)


def rounded(figures: Figures) -> Figures:
    return {
        name: rounded(value) if isinstance(value, dict) else round(value, 3)
        for name, value in figures.items()
    }


def taken() -> Figures:
    """Say when and where, and how busy the machine was."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    main()
