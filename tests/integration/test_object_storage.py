"""Checkpoints in a bucket of a server that speaks S3."""

import obstore
import pytest
import torch
from s3_server import environment_of, make_bucket, serving_s3
from torch import nn
from typer.testing import CliRunner

from gossip_trainer.checkpoint.objects import PART_BYTES, open_bucket
from gossip_trainer.checkpoint.store import Checkpoint, CheckpointStore
from gossip_trainer.cli.app import app
from gossip_trainer.errors import CheckpointError, ModelError
from gossip_trainer.replica.initial import load_initial_

pytestmark = pytest.mark.heavy

ROOT = "s3://models/jobs/mnist"


@pytest.fixture(scope="module")
def endpoint():
    with serving_s3() as url:
        yield url


@pytest.fixture
def bucket(endpoint, monkeypatch, request):
    """The URL of a folder of its own for every test."""
    for name, value in environment_of(endpoint).items():
        monkeypatch.setenv(name, value)
    make_bucket(endpoint, "models")
    return f"{ROOT}/{request.node.name}"


def a_checkpoint(step: int, *, elements: int = 10) -> Checkpoint:
    return Checkpoint(step, {"vector": torch.arange(elements) + step}, {"samples": 8 * step})


def names(url: str) -> list[str]:
    return sorted(each["path"] for part in obstore.list(open_bucket(url)) for each in part)


def test_the_newest_comes_back_and_only_the_newest_stay(bucket):
    store = CheckpointStore(bucket, "worker-0", keep=2)
    assert store.newest() is None
    for step in (1, 2, 3):
        where = store.save(a_checkpoint(step))
    assert where == f"{bucket}/worker-0/step-000000000003"
    found = CheckpointStore(bucket, "worker-0", keep=2).newest()
    assert found is not None
    assert (found.step, found.facts) == (3, {"samples": 24})
    assert torch.equal(found.tensors["vector"], torch.arange(10) + 3)
    assert names(bucket) == [
        f"worker-0/step-00000000000{step}/{file}"
        for step in (2, 3)
        for file in ("manifest.json", "tensors.safetensors")
    ]


def test_one_that_is_larger_than_a_part_comes_back_too(bucket):
    checkpoint = a_checkpoint(1, elements=2 * PART_BYTES // 8 + 5)
    store = CheckpointStore(bucket, "worker-0", keep=1)
    store.save(checkpoint)
    found = store.newest()
    assert found is not None
    assert torch.equal(found.tensors["vector"], checkpoint.tensors["vector"])


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("manifest.json", None, "manifest.json is missing"),
        ("tensors.safetensors", None, "tensors.safetensors is missing"),
        ("tensors.safetensors", b"half", "tensors.safetensors has 4 bytes"),
    ],
)
def test_a_torn_one_is_passed_over_and_the_next_save_clears_it_away(
    bucket, caplog, file, content, reason
):
    store = CheckpointStore(bucket, "worker-0", keep=1)
    store.save(a_checkpoint(1))
    store.save(a_checkpoint(2))
    member = open_bucket(f"{bucket}/worker-0")
    for name in ("tensors.safetensors", "manifest.json"):
        obstore.copy(member, f"step-000000000002/{name}", f"step-000000000003/{name}")
    obstore.delete(member, f"step-000000000003/{file}")
    if content is not None:
        obstore.put(member, f"step-000000000003/{file}", content)
    found = store.newest()
    assert found is not None
    assert found.step == 2
    assert reason in caplog.text
    store.save(a_checkpoint(2))
    assert {name.split("/")[1] for name in names(bucket)} == {"step-000000000002"}


def test_a_bucket_that_is_not_there_is_named(bucket):
    del bucket
    store = CheckpointStore("s3://none/jobs", "worker-0", keep=1)
    with pytest.raises(CheckpointError, match=r"^s3://none/jobs/worker-0.*404.*NoSuchBucket"):
        store.save(a_checkpoint(1))
    with pytest.raises(CheckpointError, match=r"^s3://none/jobs/worker-0: cannot be read"):
        store.newest()


def test_a_model_in_a_bucket_is_exported_and_another_job_begins_with_it(bucket, tmp_path):
    trained, fresh = nn.Linear(3, 2), nn.Linear(3, 2)
    facts = {"samples": 5, "loss": 0.5, "accuracy": None}
    where = CheckpointStore(bucket, "final", 1).save(Checkpoint(5, trained.state_dict(), facts))

    output = tmp_path / "model.pt"
    result = CliRunner().invoke(app, ["export", bucket, "--output", str(output)])
    assert result.exit_code == 0, result.stderr
    load_initial_(fresh, f"{where}/tensors.safetensors")

    exported = torch.load(output, weights_only=True)
    for name, tensor in trained.state_dict().items():
        assert torch.equal(exported[name], tensor)
        assert torch.equal(fresh.state_dict()[name], tensor)
    with pytest.raises(ModelError, match=r"s3://.*none: cannot be read: there is no such object"):
        load_initial_(fresh, f"{bucket}/none")
