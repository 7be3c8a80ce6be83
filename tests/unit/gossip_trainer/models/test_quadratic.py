import pytest
import torch

from gossip_trainer.errors import ModelError
from gossip_trainer.models.quadratic import quadratic


def make(**arguments):
    return quadratic(input_shape=(3,), num_classes=1, **{"precision": "float64", **arguments})


def test_x_begins_where_it_is_told():
    assert make(start=-2.5).x.tolist() == [-2.5, -2.5, -2.5]
    assert quadratic(input_shape=(3,), num_classes=1).x.dtype == torch.float32


@pytest.mark.parametrize("curvature", [0.0, 0.5, 2])
def test_the_gradient_of_a_mean_loss_is_that_of_the_quadratic_and_the_mean_of_the_noise(curvature):
    model = make(curvature=curvature, start=3)
    noise = torch.randn(8, 3, dtype=torch.float64)
    model(noise).mean().backward()
    expected = curvature * model.x.detach() + noise.mean(0)
    assert torch.allclose(model.x.grad, expected, rtol=1e-14)


def test_without_noise_the_loss_is_the_quadratic():
    losses = make(curvature=0.5, start=2)(torch.zeros(4, 3, dtype=torch.float64))
    assert losses.tolist() == [[0.25 * 3 * 4]] * 4


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("curvature", -1, "a number >= 0"),
        ("curvature", "1", "a number >= 0"),
        ("start", float("nan"), "a number"),
        ("start", True, "a number"),
        ("precision", "double", "one of float32, float64"),
    ],
)
def test_a_wrong_argument_is_named_with_what_is_allowed(name, value, expected):
    with pytest.raises(ModelError) as caught:
        make(**{name: value})
    assert (
        str(caught.value) == f"spec.training.model.args.{name}: got {value!r}, expected {expected}"
    )


@pytest.mark.parametrize(("input_shape", "num_classes"), [((3,), 10), ((1, 8, 8), 1)])
def test_another_data_set_is_refused(input_shape, num_classes):
    with pytest.raises(ModelError, match="goes only with data quadratic"):
        quadratic(input_shape=input_shape, num_classes=num_classes)


def test_data_of_another_precision_are_refused_with_what_to_do():
    with pytest.raises(ModelError, match="give both the same"):
        make()(torch.zeros(2, 3))
