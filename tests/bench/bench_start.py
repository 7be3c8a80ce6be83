"""How long a job's pods take to run, beside the same pods in an Indexed Job.

    PYTHONPATH=tests/support:tests/testbed python tests/bench/bench_start.py [--rounds 3]

On three real nodes (`python -m testbed up nodes`, or one that this brings up and takes down).
From the request that creates the job to the kubelet's word that the last worker's pod is Running.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from cluster_jobs import Jobs, Object, define, job
from operators import Operator
from testbed import lifecycle
from testbed.bed import Kind
from testbed.waiting import wait_for

BATCH = "/apis/batch/v1/namespaces/{}/jobs"
LABEL = "bench=indexed"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=8)
    options = parser.parse_args()
    bed = lifecycle.bring_up(Kind.NODES)
    ours, theirs = [], []
    try:
        define(bed)
        for _ in range(options.rounds):
            with bed.namespace() as namespace, tempfile.TemporaryDirectory() as folder:
                jobs = Jobs(bed, namespace)
                operator = Operator(bed.kubeconfig, Path(folder) / "log", (namespace,))
                operator.start()
                try:
                    seconds, pod = time_ours(jobs, options.workers)
                finally:
                    operator.kill()
                ours.append(seconds)
                clear(jobs)
                theirs.append(time_theirs(jobs, pod, options.workers))
                clear(jobs)
    finally:
        lifecycle.release(bed)
    for what, found in (("GossipTrainingJob", ours), ("Indexed Job", theirs)):
        shown = ", ".join(f"{seconds:.2f}" for seconds in found)
        print(f"{what:18} median {statistics.median(found):.2f} s ({shown})")


def time_ours(jobs: Jobs, workers: int) -> tuple[float, Object]:
    """Create a job; return how long its workers took to run, and one of their pods."""
    start = time.monotonic()
    name = jobs.create(job(replicas=workers))
    selector = f"gossip.training/job-name={name},gossip.training/role=worker"
    pods = wait_running(jobs, selector, workers)
    return time.monotonic() - start, pods[0]


def time_theirs(jobs: Jobs, pod: Object, workers: int) -> float:
    """Create an Indexed Job of the same pods; return how long they took to run."""
    spec = {
        key: value
        for key, value in pod["spec"].items()
        if key not in {"nodeName", "hostname", "subdomain", "topologySpreadConstraints"}
    }
    body = {
        "metadata": {"name": "indexed"},
        "spec": {
            "completions": workers,
            "parallelism": workers,
            "completionMode": "Indexed",
            "template": {"metadata": {"labels": {"bench": "indexed"}}, "spec": spec},
        },
    }
    start = time.monotonic()
    jobs.bed.api.create(BATCH.format(jobs.namespace), body)
    wait_running(jobs, LABEL, workers)
    seconds = time.monotonic() - start
    path = f"{BATCH.format(jobs.namespace)}/indexed"
    jobs.bed.api.delete(path, {"propagationPolicy": "Background"})
    return seconds


def wait_running(jobs: Jobs, selector: str, number: int) -> list[Object]:
    def look() -> list[Object] | None:
        pods = jobs.bed.api.list(jobs.pods_path, labelSelector=selector)
        running = [pod for pod in pods if pod["status"].get("phase") == "Running"]
        return running if len(running) == number else None

    return wait_for(look, f"{number} running pods", seconds=120)


def clear(jobs: Jobs) -> None:
    """Remove all pods, so that the next ones have the nodes to themselves."""
    jobs.bed.api.delete(jobs.pods_path, {"gracePeriodSeconds": 0})
    wait_for(lambda: not jobs.bed.api.list(jobs.pods_path), "end of the pods", seconds=60)


if __name__ == "__main__":
    main()
