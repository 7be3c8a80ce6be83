"""The entry of every process of a job: a container's command, or a child of the local launcher."""

from collections.abc import Mapping
from typing import Final

import torch

from gossip_api.environment import ProcessEnvironment
from gossip_api.loading import load_job
from gossip_api.names import Role
from gossip_trainer.process.built_in import run_worker
from gossip_trainer.process.evaluator import run_evaluator
from gossip_trainer.process.server import run_server
from gossip_trainer.process.shell import Shell, open_shell, read_environment
from gossip_trainer.process.task import build_task
from gossip_trainer.training.optimizers import warm_up

RUNS: Final = {
    Role.WORKER: run_worker,
    Role.SERVER: run_server,
    Role.EVALUATOR: run_evaluator,
}


def main(environ: Mapping[str, str]) -> int:
    """Run the process that `environ` describes; return its exit code."""
    try:
        environment = read_environment(environ)
    except SystemExit as refused:
        return int(str(refused.code))
    with open_shell(environment) as shell:
        _run(shell, environment)
    return shell.code


def _run(shell: Shell, environment: ProcessEnvironment) -> None:
    """Do what the process is for."""
    torch.set_num_interop_threads(1)
    task = build_task(load_job(environment.job_file), environment, shell.stop_at_once)
    if environment.role is not Role.EVALUATOR:
        warm_up()
    RUNS[environment.role](shell, task)
