"""Which GPUs there are: what cannot be used is no CPU's job."""

import pytest
import torch

from gossip_trainer.errors import PlacementError
from gossip_trainer.replica.placement import num_gpus


@pytest.fixture
def cuda(monkeypatch):
    """Return what says how many GPUs the driver has, and whether torch can use them."""

    def says(found, *, usable):
        monkeypatch.setattr(torch.cuda, "device_count", lambda: found)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: usable)

    return says


@pytest.mark.parametrize("found", [0, 2])
def test_those_that_can_be_used_are_counted(cuda, found):
    cuda(found, usable=found > 0)
    assert num_gpus() == found


def test_some_that_cannot_be_used_are_an_error_and_not_none(cuda):
    cuda(2, usable=False)
    with pytest.raises(
        PlacementError, match=r"there are 2 GPU\(s\), but PyTorch .* the node's driver"
    ):
        num_gpus()
