from pathlib import Path

import pytest
import yaml

from gossip_api.loading import load_job
from gossip_trainer.calibration.computing import WARM_UP_STEPS, alone, forwards_per_step
from gossip_trainer.calibration.stopwatch import NAME

SAMPLES = Path(__file__).parents[4] / "manifests" / "samples"
JOBS = sorted(SAMPLES.glob("*.yaml"))


@pytest.mark.parametrize("path", JOBS, ids=lambda path: path.stem)
def test_every_job_can_be_run_with_one_worker_that_talks_to_nobody(path, tmp_path):
    job = load_job(path)
    lone = load_job(path, alone(job, tmp_path, steps=50))
    spec = lone.spec

    assert spec.workers.replicas == spec.workers.min_replicas == 1
    assert not spec.num_shards
    assert not spec.strategy.uses_collective
    assert spec.training.budget.steps_per_worker == WARM_UP_STEPS + 51
    assert spec.training.target is None
    assert spec.training.batch_size == job.spec.training.batch_size
    assert spec.training.optimizer.momentum == job.spec.training.optimizer.momentum


def test_the_jobs_own_model_is_what_the_stopwatch_is_put_on(tmp_path):
    path = SAMPLES / "digits.yaml"
    document = yaml.safe_load(path.read_text())
    model = load_job(path, alone(load_job(path), tmp_path, steps=50)).spec.training.model

    assert model.name == NAME
    assert model.args["model"] == document["spec"]["training"]["model"]
    assert Path(str(model.args["file"])).is_absolute()


@pytest.mark.parametrize(
    ("batch_size", "devices", "parts", "forwards"),
    [(16, 1, 1, 1), (16, 1, 4, 4), (9, 1, 4, 3), (16, 2, 1, 2), (16, 2, 4, 8)],
)
def test_a_step_asks_the_model_once_for_every_part_on_every_device(
    batch_size, devices, parts, forwards
):
    changes = [
        f"training.batchSize={batch_size}",
        f"training.gradientAccumulation={parts}",
        f"workers.devicesPerWorker={devices}",
    ]
    assert forwards_per_step(load_job(SAMPLES / "digits.yaml", changes).spec) == forwards
