"""Stands in for the processes of simulated pods: answers `/status` at loopback addresses.

Pods on simulated nodes run nothing, so what the operator asks them for is answered here. Real
processes answer in the tests on real nodes.
"""

import http.server
import itertools
import threading
from contextlib import contextmanager

from cluster_jobs import Jobs, member_of

from gossip_api.names import METRICS_PORT, Role
from gossip_api.process import ProcessStatus, Score
from gossip_operator.manifests.metadata import Manifest

_HOSTS = (f"127.77.{a}.{b}" for a, b in itertools.product(range(256), range(1, 255)))


class StatusStubs:
    """One HTTP server per pod, each at an address of its own."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._servers: list[http.server.ThreadingHTTPServer] = []
        self.statuses: dict[str, ProcessStatus] = {}
        self.requests: list[str] = []

    def serve(self, pod: Manifest, status: ProcessStatus) -> None:
        """Answer for a pod from now on, and give it the address."""
        name, host = pod["metadata"]["name"], next(_HOSTS)
        self.statuses[name] = status
        stubs = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stubs.requests.append(name)
                body = stubs.statuses[name].model_dump_json(by_alias=True, exclude_none=True)
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = http.server.ThreadingHTTPServer((host, METRICS_PORT), Handler)
        self._servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = {"podIP": host, "podIPs": [{"ip": host}]}
        self._jobs.bed.api.patch(f"{self._jobs.pods_path}/{name}/status", {"status": address})

    def serve_job(self, name: str, step: int, **fields: object) -> None:
        """Answer for all pods of a job: workers that train, and an evaluator with a score."""
        for pod in self._jobs.live(name).values():
            self.serve(pod, worker(pod, step, **fields))
        for pod in self._jobs.live(name, Role.EVALUATOR).values():
            score = Score(loss=0.5, accuracy=0.75, consensus_distance=0.01)
            self.serve(pod, ProcessStatus(**_place(pod), phase="Serving", score=score))

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()


def worker(pod: Manifest, step: int, **fields: object) -> ProcessStatus:
    """Make the status of a worker that trains: one of two, in a quarter of the job."""
    samples = {"samples": 32 * step, "job_samples": 64 * step, "samples_per_second": 100.0}
    defaults = {**samples, "fraction": 0.25, "epoch": 0.25, "loss": 0.6}
    return ProcessStatus(**_place(pod), phase="Training", step=step, **{**defaults, **fields})


def _place(pod: Manifest) -> dict[str, object]:
    member = member_of(pod)
    return {"role": member.role, "rank": member.index, "incarnation": member.incarnation}


@contextmanager
def status_stubs(jobs: Jobs):
    """Make stubs that are closed in the end."""
    stubs = StatusStubs(jobs)
    try:
        yield stubs
    finally:
        stubs.close()
