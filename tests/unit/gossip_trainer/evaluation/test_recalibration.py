import pytest
import torch
from torch import nn

from gossip_trainer.data.dataset import Batch
from gossip_trainer.errors import ModelError
from gossip_trainer.evaluation.recalibration import recalibrate_


def batches(number: int, *, size: int = 50) -> list[Batch]:
    torch.manual_seed(0)
    return [Batch(3 + 2 * torch.randn(size, 4), torch.zeros(size)) for _ in range(number)]


def test_the_statistics_become_the_mean_of_those_of_the_batches_whatever_they_were():
    module = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 2))
    module[0].running_mean.fill_(100.0)
    seen = batches(3)
    recalibrate_(module, seen, 3)
    means = torch.stack([batch.inputs.mean(0) for batch in seen]).mean(0)
    variances = torch.stack([batch.inputs.var(0) for batch in seen]).mean(0)
    assert torch.allclose(module[0].running_mean, means)
    assert torch.allclose(module[0].running_var, variances)


def test_so_many_batches_are_taken_and_no_more():
    endless = iter(batches(5))
    recalibrate_(nn.Sequential(nn.BatchNorm1d(4)), endless, 2)
    assert len(list(endless)) == 3


def test_weights_momentum_and_training_flag_stay_as_they_were():
    module = nn.Sequential(nn.BatchNorm1d(4, momentum=0.3), nn.Linear(4, 2)).eval()
    before = {name: each.clone() for name, each in module.named_parameters()}
    recalibrate_(module, batches(2), 2)
    assert all(torch.equal(each, before[name]) for name, each in module.named_parameters())
    assert module[0].momentum == 0.3
    assert not module.training


@pytest.mark.parametrize(
    "module", [nn.Linear(4, 2), nn.BatchNorm1d(4, track_running_stats=False)], ids=["none", "fixed"]
)
def test_a_model_without_running_statistics_is_refused(module):
    with pytest.raises(ModelError, match="no batch norm with running statistics"):
        recalibrate_(module, batches(1), 1)
