"""Runs a job on machines of `namespaces`, each process as a container would be told to."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from namespaces import Machine

from gossip_api.environment import ProcessEnvironment
from gossip_api.job import GossipTrainingJob
from gossip_api.loading import resolved_yaml
from gossip_api.names import Member, Role
from gossip_trainer.launch.processes import run_child
from gossip_trainer.observability.event_log import EventTail
from gossip_trainer.observability.events import Evaluation, Failed, Progress

WARM_UP_SECONDS = 2.0
END_SECONDS = 120.0
POLL_SECONDS = 0.25

Waits = dict[str, list[tuple[float, float]]]
"""By member: moments since the epoch, and for how long its training thread had had no core then."""


@dataclass(frozen=True)
class Measured:
    """What came of a run.

    Attributes:
        rates: steps per second of each worker, in order of rank, once it had warmed up.
        accuracy: of the final model.
        waited: which part of the run the training threads waited for a core, on average.

    """

    rates: tuple[float, ...]
    accuracy: float
    waited: float

    @property
    def step_seconds(self) -> float:
        """Seconds per step of an average worker."""
        return len(self.rates) / sum(self.rates)


def run_on(
    job: GossipTrainingJob, out: Path, place: Callable[[Member], Machine], threads: int = 1
) -> Measured:
    """Run `job`, each member on its machine, and measure.

    Raises:
        RuntimeError: a process failed, or it took too long.

    """
    out.mkdir(parents=True)
    (out / "job.yaml").write_text(resolved_yaml(job))
    replicas = job.spec.workers.replicas
    members = [Member(Role.EVALUATOR, 0, 0)]
    members += [Member(Role.SERVER, shard, 0) for shard in range(job.spec.num_shards)]
    workers = [Member(Role.WORKER, rank, 0) for rank in range(replicas)]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["gossip_trainer.launch.template"])
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
    processes: dict[str, BaseProcess] = {}
    try:
        for member in [*members, *workers]:
            machine = place(member)
            environ = environment(member, machine, out, replicas).to_environ()
            process = context.Process(
                target=become,
                args=(machine, environ, str(out / f"{member.name}.log"), threads),
                name=member.name,
            )
            process.start()
            processes[member.name] = process
        waits = watch(processes, out)
    finally:
        for process in processes.values():
            process.kill()
            process.join()
    return measured(out, [member.name for member in workers], waits)


def environment(member: Member, machine: Machine, out: Path, replicas: int) -> ProcessEnvironment:
    return ProcessEnvironment(
        job_file=out / "job.yaml",
        job_uid=str(out),
        role=member.role,
        rank=member.index,
        incarnation=member.incarnation,
        peers=f"directory:{out / 'peers'}",
        listen=f"{machine.address}:0",
        output=out,
        start_with=replicas,
        fresh=True,
    )


def become(machine: Machine, environ: Mapping[str, str], log: str, threads: int) -> None:
    """Move to the machine, and be the process that `environ` describes."""
    assert threading.active_count() == 1
    machine.enter()
    run_child(environ, log, threads)


def watch(processes: Mapping[str, BaseProcess], out: Path) -> Waits:
    """Wait until all have ended well; return how long their training threads waited for a core."""
    deadline = time.monotonic() + END_SECONDS
    waits: Waits = {name: [] for name in processes}
    while any(process.is_alive() for process in processes.values()):
        for name, process in processes.items():
            if process.exitcode:
                told = [r.reason for r in EventTail(out / "events.jsonl").new() if is_failure(r)]
                raise RuntimeError(f"{name} ended with {process.exitcode}: {told}")
            if process.is_alive():
                waits[name].append((time.time(), core_wait(process.pid)))
        if time.monotonic() > deadline:
            raise RuntimeError(f"the run in {out} did not end in time")
        time.sleep(POLL_SECONDS)
    return waits


def is_failure(record) -> bool:
    return isinstance(record, Failed)


def core_wait(pid: int | None) -> float:
    """Return how many seconds a process's training thread was ready to run and had no core."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):  # it has just ended
        return 0.0


def measured(out: Path, workers: list[str], waits: Waits) -> Measured:
    records = list(EventTail(out / "events.jsonl").new())
    (final,) = [r for r in records if isinstance(r, Evaluation) and r.final]
    rates, waited = [], []
    for name in workers:
        told = [r for r in records if isinstance(r, Progress) and r.source == name]
        first = next(r for r in told if r.time - told[0].time >= WARM_UP_SECONDS)
        last = told[-2]  # the very last one tells of the end, not of a step
        seconds = last.time - first.time
        rates.append((last.step - first.step) / seconds)
        within = [wait for at, wait in waits[name] if first.time <= at <= last.time]
        waited.append((max(within) - min(within)) / seconds)
    return Measured(tuple(rates), final.accuracy, sum(waited) / len(waited))
