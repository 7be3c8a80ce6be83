"""Does a traced real run again, from its job document and its event log, in one process.

Every worker's and server's algorithm is told the same things in the same order; gradients, the
choice of peers and all arithmetic are done anew. Each model that is published must then have the
digest that it had in the run: that is the proof that simulation and process run one algorithm.
"""

from dataclasses import dataclass
from pathlib import Path

import torch

from gossip_api.job import GossipTrainingJob
from gossip_api.loading import load_job
from gossip_api.names import Role
from gossip_trainer.data.registry import load_dataset
from gossip_trainer.errors import RunError
from gossip_trainer.observability.event_log import EventTail
from gossip_trainer.replay.script import Script, write_script
from gossip_trainer.replay.server import ServerPlayer
from gossip_trainer.replay.store import Store
from gossip_trainer.replay.worker import Findings, Mismatch, Playing, WorkerPlayer
from gossip_trainer.replica.flat import FlatModel
from gossip_trainer.replica.initial import initial_model

EVENTS_FILE = "events.jsonl"
JOB_FILE = "job.yaml"


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of it.

    Attributes:
        members: who played.
        published: how many publications were compared.
        mismatches: those that differ, in the order in which they were found.

    """

    members: tuple[str, ...]
    published: int
    mismatches: tuple[Mismatch, ...]


def replay(run: Path) -> Replay:
    """Replay the run in the directory `run`.

    Raises:
        RunError: it was not traced, its strategy averages collectively, or a server was replaced,
            whose new model depends on when it was read.

    """
    job = load_job(run / JOB_FILE)
    if job.spec.strategy.uses_collective:
        raise RunError(
            f"{run}: {job.spec.strategy.type} averages in torch.distributed, which is not replayed"
        )
    script = write_script(EventTail(run / EVENTS_FILE).new())
    torch.set_num_threads(1)  # as in a traced run
    store, findings = Store(script.readers), Findings()
    _play(_players(job, script, store, findings), store)
    return Replay(tuple(script.parts), findings.published, tuple(findings.mismatches))


def _players(
    job: GossipTrainingJob, script: Script, store: Store, findings: Findings
) -> dict[str, Playing]:
    training = job.spec.training
    dataset = load_dataset(training.data, training.seed)
    first = FlatModel(
        initial_model(training, input_shape=dataset.input_shape, num_classes=dataset.num_classes)
    )
    players: dict[str, Playing] = {}
    for name, part in script.parts.items():
        if part.member.role is Role.WORKER:
            worker = WorkerPlayer(job, dataset, part, store=store, findings=findings)
            players[name] = worker.play()
            continue
        if part.member.incarnation:
            raise RunError(f"{name} took a lost server's place; such a run is not replayed")
        server = ServerPlayer(
            job.spec,
            part,
            layout=first.layout,
            initial=first.vector,
            store=store,
            findings=findings,
        )
        players[name] = server.play()
    return players


def _play(players: dict[str, Playing], store: Store) -> None:
    """Let each go as far as it can, in turn, until all have ended."""
    waiting = dict(players)
    while waiting:
        before = (len(waiting), store.added)
        for name, player in list(waiting.items()):
            try:
                next(player)
            except StopIteration:
                del waiting[name]
        if (len(waiting), store.added) == before:
            raise RunError(
                f"the log tells of something that nobody sent: {', '.join(sorted(waiting))} wait"
            )
