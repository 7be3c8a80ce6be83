import pytest
import torch

from gossip_api.environment import ProcessEnvironment
from gossip_api.loading import parse_job
from gossip_api.names import Role
from gossip_trainer.errors import ModelError
from gossip_trainer.process.task import build_task
from gossip_trainer.replica.export import save_model

JOB = """
apiVersion: gossip.training/v1alpha1
kind: GossipTrainingJob
metadata: {{name: digits}}
spec:
  strategy: {{type: Gossip}}
  workers: {{replicas: 2}}
  training:
    model: {{name: mlp}}
    data: {{name: digits}}
    optimizer: {{name: sgd, learningRate: 0.1}}
    budget: {{samples: 1000}}
    seed: {seed}
    {more}
"""


def task(tmp_path, role: Role = Role.WORKER, *, seed: int = 1, more: str = ""):
    environment = ProcessEnvironment(
        job_file=tmp_path / "job.yaml",
        job_uid="uid",
        role=role,
        rank=0,
        incarnation=0,
        peers=f"directory:{tmp_path}",
        listen="127.0.0.1:0",
        output=tmp_path,
    )
    return build_task(parse_job(JOB.format(seed=seed, more=more)), environment)


@pytest.mark.parametrize("role", [Role.WORKER, Role.EVALUATOR, Role.SERVER])
def test_every_process_begins_with_the_jobs_initial_model(tmp_path, role):
    trained = task(tmp_path, seed=5).model
    path = tmp_path / "trained.safetensors"
    save_model(trained.module, path, {})

    begun = task(tmp_path, role, more=f"initialModel: {path}").model

    assert torch.equal(begun.vector, trained.vector)
    assert not torch.equal(begun.vector, task(tmp_path).model.vector)


def test_an_initial_model_that_is_not_there_ends_the_process_with_its_name(tmp_path):
    with pytest.raises(ModelError, match=r"^spec\.training\.initialModel /none: cannot be read"):
        task(tmp_path, more="initialModel: /none")
