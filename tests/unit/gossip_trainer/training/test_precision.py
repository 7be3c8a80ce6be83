import pytest
import torch

from gossip_trainer.training.precision import GROWTH_INTERVAL, LossScale


@pytest.fixture
def scale():
    return LossScale()


def test_a_gradient_is_divided_exactly(scale):
    gradient = torch.tensor([0.1, -3.0e-7])
    scaled = gradient * scale.factor
    assert not scale.unscale_(scaled)
    assert torch.equal(scaled, gradient)


@pytest.mark.parametrize("bad", [torch.inf, -torch.inf, torch.nan])
def test_an_overflow_halves_the_factor_and_asks_for_the_gradient_again(bad, scale):
    assert scale.unscale_(torch.tensor([1.0, bad]))
    assert scale.factor == 2.0**15


def test_a_factor_of_one_is_the_smallest(scale):
    tries = 0
    while scale.unscale_(torch.tensor([torch.inf])):
        tries += 1
    assert (tries, scale.factor) == (16, 1.0)


def test_the_factor_doubles_after_many_finite_gradients_in_a_row(scale):
    gradient = torch.zeros(1)
    for _ in range(GROWTH_INTERVAL - 1):
        scale.unscale_(gradient)
    assert scale.factor == 2.0**16
    scale.unscale_(gradient)
    assert (scale.factor, scale.num_finite) == (2.0**17, 0)


def test_one_that_is_resumed_goes_on_where_the_other_was(scale):
    scale.unscale_(torch.tensor([torch.inf]))
    scale.unscale_(torch.zeros(1))
    other = LossScale()
    other.load_state_dict(scale.state_dict())
    assert other == scale == LossScale(factor=2.0**15, num_finite=1)


def test_an_overflow_begins_the_count_anew(scale):
    for _ in range(5):
        scale.unscale_(torch.zeros(1))
    scale.unscale_(torch.tensor([torch.nan]))
    assert scale.num_finite == 0
