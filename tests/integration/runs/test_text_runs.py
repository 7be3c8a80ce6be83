"""The GPT sample learns more of its text than what the frequencies of bytes and pairs tell."""

import pytest
import torch
import yaml

from gossip_api.training import Data
from gossip_trainer.data.registry import load_dataset

pytestmark = [pytest.mark.jobs, pytest.mark.timeout(180)]


def losses_of_frequencies(dataset):
    """Return the held-out loss of counting bytes, and of counting pairs of them, per byte."""
    train = dataset.train_batch(torch.arange(dataset.num_examples))
    test = next(dataset.test_batches(10**6))
    pairs = torch.ones(256, 256, dtype=torch.float64)  # one each, so that none is impossible
    pairs.view(-1).index_add_(
        0,
        (train.inputs * 256 + train.targets).flatten(),
        torch.ones(train.targets.numel(), dtype=torch.float64),
    )
    of_bytes = pairs.sum(0) / pairs.sum()
    of_pairs = pairs / pairs.sum(1, keepdim=True)
    by_bytes = -of_bytes[test.targets].log().mean()
    return by_bytes.item(), -of_pairs[test.inputs, test.targets].log().mean().item()


def test_the_gpt_sample_predicts_better_than_frequencies_of_bytes_and_of_pairs(run_job, samples):
    document = yaml.safe_load((samples / "17-gpt.yaml").read_text())
    data = Data.model_validate(document["spec"]["training"]["data"])
    by_bytes, by_pairs = losses_of_frequencies(load_dataset(data, seed=1))

    run = run_job(document)

    print(f"loss {run.final.loss:.3f} after {run.final.seconds:.1f} s")
    print(f"by bytes {by_bytes:.3f}, by pairs {by_pairs:.3f}")
    assert run.outcome.state == "succeeded"
    assert run.final.averaged == 2
    assert by_pairs < by_bytes - 0.5
    assert run.final.loss < by_pairs - 0.05
    assert run.final.accuracy > 0.4
