"""A script that was started by itself: a job of one worker, with nobody to meet."""

import time
import uuid
from pathlib import Path

from gossip_api.environment import ProcessEnvironment
from gossip_api.job import GossipTrainingJob
from gossip_api.loading import load_job
from gossip_api.names import Role
from gossip_api.strategy import Strategy
from gossip_api.workers import Workers
from gossip_trainer.errors import SessionError

LOCAL_ADDRESS = "127.0.0.1"


def alone(
    job_file: str | Path | None, out: str | Path | None
) -> tuple[ProcessEnvironment, GossipTrainingJob]:
    """Return where the process stands and the job as it does it alone.

    The strategy has nobody to be carried out with: alone gossip is plain SGD to the bit. What was
    saved in the folder `out` is gone on with; left out, it is a new one in `runs`.

    Raises:
        SessionError: there is no job file.
        InvalidJob: it is not in order.

    """
    if job_file is None:
        raise SessionError(
            "this process belongs to no job; start it with `gossip run JOB`, or give the job file: "
            "Session(model, optimizer, job='job.yaml')"
        )
    path = Path(job_file)
    job = load_job(path)
    changes = {"workers": Workers(), "strategy": Strategy(type="Gossip"), "server": None}
    job = job.model_copy(update={"spec": job.spec.model_copy(update=changes)})
    new = Path("runs") / f"{job.metadata.name}-alone-{time.strftime('%Y%m%d-%H%M%S')}"
    output = new if out is None else Path(out)
    environment = ProcessEnvironment(
        job_file=path,
        job_uid=str(uuid.uuid4()),
        role=Role.WORKER,
        rank=0,
        incarnation=0,
        peers=f"directory:{output / 'peers'}",
        listen=f"{LOCAL_ADDRESS}:0",
        output=output,
        fresh=True,
        checkpoints=str(output / "checkpoints"),
    )
    return environment, job
