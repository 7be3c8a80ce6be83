"""A job on tar shards trains to the end: shards, decoding, model, gossip and test all fit."""

import io

import numpy as np
import pytest
import yaml
from PIL import Image
from tar_shards import write_shard

from gossip_api.loading import parse_job
from gossip_trainer.simulation.simulator import simulate

JOB = """
apiVersion: gossip.training/v1alpha1
kind: GossipTrainingJob
metadata: {name: shards}
spec:
  strategy: {type: Gossip, gossip: {exchange: Pull, period: 1, mixingWeight: 0.5}}
  workers: {replicas: 2}
  training:
    model: {name: cnn, args: {channels: [4, 8]}}
    data:
      name: webdataset
      args: {train: "train-{0..2}.tar", test: test.tar, classes: 3, size: 16, shuffle: 10}
    batchSize: 8
    optimizer: {name: sgd, learningRate: 0.1, momentum: 0.9}
    budget: {epochs: 4}
  simulation: {computeSeconds: {mean: 0.02}}
"""


@pytest.fixture
def colours(tmp_path):
    """Noise that is red, green or blue, by its class."""
    draw = np.random.default_rng(1)

    def sample(number):
        pixels = draw.integers(0, 120, (20, 20, 3), dtype=np.uint8)
        pixels[..., number % 3] += 100
        image = io.BytesIO()
        Image.fromarray(pixels).save(image, "PNG")
        return f"{number:06}", {"png": image.getvalue(), "cls": str(number % 3).encode()}

    for name in ("train-0", "train-1", "train-2", "test"):
        write_shard(tmp_path / f"{name}.tar", map(sample, range(30)))
    return tmp_path


def test_workers_learn_from_shards_of_their_own(colours):
    document = yaml.safe_load(JOB)
    document["spec"]["training"]["data"]["root"] = str(colours)
    result = simulate(parse_job(yaml.safe_dump(document)))
    assert result.final.accuracy == 1.0
