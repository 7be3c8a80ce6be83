import functools
import itertools

import pytest
import torch
from torch import nn
from torch._dynamo.exc import BackendCompilerFailed
from torch.nn.functional import cross_entropy

from gossip_api.training import Training
from gossip_trainer.data.dataset import Batch
from gossip_trainer.errors import ModelError
from gossip_trainer.replica.flat import FlatModel
from gossip_trainer.training.gradient import GradientComputation, clip_, smoothed
from gossip_trainer.training.precision import LossScale

ROUNDING = {"float32": 1e-6, "bfloat16": 2e-2, "float16": 2e-3}


def settings(**values):
    return Training(
        model={"name": "mlp"},
        data={"name": "digits"},
        optimizer={"name": "sgd", "learning_rate": 0.1},
        budget={"epochs": 1.0},
        **values,
    )


def network(memory_format=torch.contiguous_format):
    torch.manual_seed(1)
    layers = (nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), nn.ReLU(), nn.Flatten())
    module = nn.Sequential(*layers, nn.Linear(8 * 6 * 6, 5))
    return FlatModel(module.to(memory_format=memory_format))


@pytest.fixture
def model():
    return network()


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(2)
    inputs = torch.randn(10, 3, 8, 8, generator=generator)
    return Batch(inputs, torch.randint(5, (10,), generator=generator))


def plain(batch, **loss_settings):
    """Return loss and gradient as torch computes them without any of it."""
    model = network()
    loss = cross_entropy(model.module(batch.inputs), batch.targets, **loss_settings)
    loss.backward()
    return loss.detach(), model.gradient


def assert_close(found, expected, *, rounding):
    """Compare in the norm: half precision loses digits of the largest value, not of each."""
    assert torch.linalg.vector_norm(found - expected) <= rounding * torch.linalg.vector_norm(
        expected
    )


def test_by_default_it_is_torchs_gradient_to_the_bit(model, batch):
    model.gradient.fill_(99.0)  # of the batch before
    loss = GradientComputation(model, cross_entropy, settings())(batch)
    expected_loss, expected = plain(batch)
    assert torch.equal(loss, expected_loss)
    assert torch.equal(model.gradient, expected)
    assert not loss.requires_grad


@pytest.mark.parametrize(
    ("precision", "accumulation", "memory_format", "smoothing"),
    list(itertools.product(ROUNDING, [1, 4], ["Contiguous", "ChannelsLast"], [0.0, 0.1])),
)
def test_all_settings_together_change_the_gradient_by_rounding_only(
    precision, accumulation, memory_format, smoothing, model, batch
):
    chosen = settings(
        precision=precision,
        gradient_accumulation=accumulation,
        memory_format=memory_format,
        label_smoothing=smoothing,
    )
    loss = GradientComputation(model, cross_entropy, chosen)(batch)
    expected_loss, expected = plain(batch, label_smoothing=smoothing)
    rounding = ROUNDING[precision]
    assert loss.item() == pytest.approx(expected_loss.item(), rel=rounding)
    assert_close(model.gradient, expected, rounding=rounding)


@pytest.mark.parametrize("parts", [2, 3, 9, 10, 32])
def test_parts_of_unequal_size_count_by_their_examples(parts, model, batch):
    compute = GradientComputation(
        model, cross_entropy, settings(gradient_accumulation=parts, batch_size=32)
    )
    loss = compute(batch)
    expected_loss, expected = plain(batch)
    torch.testing.assert_close(loss, expected_loss)
    assert_close(model.gradient, expected, rounding=1e-6)


def test_a_batch_in_parts_is_never_whole_in_the_model(model, batch):
    seen = []
    model.module.register_forward_pre_hook(lambda _module, inputs: seen.append(len(inputs[0])))
    GradientComputation(model, cross_entropy, settings(gradient_accumulation=4))(batch)
    assert seen == [3, 3, 3, 1]


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_is_the_models_inside_and_nobody_elses(precision, model, batch):
    seen = []
    model.module[4].register_forward_hook(lambda _module, _inputs, out: seen.append(out.dtype))
    loss = GradientComputation(model, cross_entropy, settings(precision=precision))(batch)
    assert seen == [getattr(torch, precision)]
    assert loss.dtype == model.gradient.dtype == model.vector.dtype == torch.float32


def test_a_gradient_too_small_for_float16_is_not_lost(model, batch):
    compute = GradientComputation(
        model,
        lambda out, targets: 1e-6 * cross_entropy(out, targets),
        settings(precision="float16"),
    )
    compute(batch)
    assert_close(model.gradient, 1e-6 * plain(batch)[1], rounding=1e-2)


def test_a_gradient_too_large_for_the_scale_is_computed_again_with_half_of_it(model, batch):
    compute = GradientComputation(
        model, lambda out, targets: 100 * cross_entropy(out, targets), settings(precision="float16")
    )
    forwards = []
    model.module.register_forward_pre_hook(lambda _module, _inputs: forwards.append(1))
    loss = compute(batch)
    assert compute.scale.factor == 2.0 ** (17 - len(forwards)) < 2.0**16
    assert_close(model.gradient, 100 * plain(batch)[1], rounding=1e-2)
    assert loss.item() == pytest.approx(100 * plain(batch)[0].item(), rel=1e-2)
    forwards.clear()
    compute(batch)
    assert len(forwards) == 1


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_a_loss_that_is_not_finite_is_handed_on_and_changes_no_scale(precision, model, batch):
    compute = GradientComputation(model, cross_entropy, settings(precision=precision))
    batch.inputs[0, 0, 0, 0] = torch.inf
    assert compute(batch).isnan()
    assert not model.gradient.isfinite().all()
    assert compute.scale in (None, LossScale())


def test_a_gradient_that_no_scale_helps_is_handed_on_as_it_is(model, batch):
    compute = GradientComputation(
        model, lambda out, targets: 1e9 * cross_entropy(out, targets), settings(precision="float16")
    )
    assert compute(batch).isfinite()
    assert not model.gradient.isfinite().all()
    assert compute.scale.factor == 1.0


def test_renewed_memory_is_where_the_next_gradient_goes(model, batch):
    compute = GradientComputation(model, cross_entropy, settings())
    compute(batch)
    old = model.gradient
    model.renew_gradient()
    compute(batch)
    assert model.gradient is not old
    assert torch.equal(model.gradient, old)


def test_channels_last_is_how_the_model_gets_its_images(model, batch):
    seen = []
    model.module.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0].stride()))
    GradientComputation(model, cross_entropy, settings(memory_format="ChannelsLast"))(batch)
    assert seen == [(192, 1, 24, 3)]


def test_weights_may_be_channels_last_in_the_flat_vector_too(batch):
    model = network(torch.channels_last)
    GradientComputation(model, cross_entropy, settings(memory_format="ChannelsLast"))(batch)
    other = network()
    GradientComputation(other, cross_entropy, settings())(batch)
    for name, parameter in model.module.named_parameters():
        torch.testing.assert_close(parameter.grad, other.module.get_parameter(name).grad)
    weight = model.module[0].weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert weight.grad.stride() == weight.stride()
    assert weight.grad.data_ptr() == model.gradient.data_ptr()


def test_channels_last_is_refused_for_what_are_no_images(batch):
    model = FlatModel(nn.Linear(3, 5))
    compute = GradientComputation(model, cross_entropy, settings(memory_format="ChannelsLast"))
    with pytest.raises(ModelError, match=r"memoryFormat: .* inputs of shape \[3\]; remove it"):
        compute(Batch(torch.zeros(10, 3), batch.targets))


@pytest.mark.parametrize("smoothing", [0.1, 0.9])
def test_smoothed_cross_entropy_is_torchs_with_label_smoothing(smoothing):
    generator = torch.Generator().manual_seed(3)
    outputs = torch.randn(6, 4, generator=generator)
    targets = torch.randint(4, (6,), generator=generator)
    torch.testing.assert_close(
        smoothed(cross_entropy, smoothing)(outputs, targets),
        cross_entropy(outputs, targets, label_smoothing=smoothing),
    )


def test_a_compiled_model_has_the_same_gradient_wherever_its_parameters_lie(
    model, batch, monkeypatch
):
    # torch's own backend would need a C++ compiler and half a minute here.
    traced = functools.partial(torch.compile, backend="aot_eager")
    monkeypatch.setattr(torch, "compile", traced)
    compute = GradientComputation(model, cross_entropy, settings(compile=True))
    torch.testing.assert_close(compute(batch), plain(batch)[0])
    assert_close(model.gradient, plain(batch)[1], rounding=1e-6)
    other = model.vector + 0.1  # as a simulation does for every worker
    for entry in model.layout.trainable:
        model.module.get_parameter(entry.name).data = entry.of(other)
    loss = compute(batch)
    again, model.gradient[:] = model.gradient.clone(), 0.0
    torch.testing.assert_close(loss, cross_entropy(model.module(batch.inputs), batch.targets))
    cross_entropy(model.module(batch.inputs), batch.targets).backward()
    assert_close(again, model.gradient, rounding=1e-6)


def test_a_model_that_cannot_be_compiled_is_an_error_that_says_what_to_do(
    model, batch, monkeypatch
):
    def no_compiler(graph, example_inputs):
        raise RuntimeError("No working C++ compiler found")

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=no_compiler))
    compute = GradientComputation(model, cross_entropy, settings(compile=True))
    with pytest.raises(ModelError, match=r"spec\.training\.compile: .*No working C\+\+") as caught:
        compute(batch)
    assert isinstance(caught.value.__cause__, BackendCompilerFailed)
    assert "else set compile: false" in str(caught.value)


@pytest.mark.parametrize("scale", [0.5, 3.0, 1e4])
def test_clipping_scales_a_gradient_down_as_torch_does(scale):
    parameter = nn.Parameter(torch.zeros(50))
    parameter.grad = scale * torch.linspace(-1, 1, 50)
    gradient = parameter.grad.clone()
    norm = clip_(gradient, 2.0)
    assert norm == nn.utils.clip_grad_norm_(parameter, 2.0).item()
    torch.testing.assert_close(gradient, parameter.grad)


@pytest.mark.parametrize("bad", [torch.inf, torch.nan])
def test_clipping_leaves_what_is_not_finite_for_others_to_judge(bad):
    gradient = torch.tensor([1.0, bad])
    clip_(gradient, 1.0)
    assert gradient[0] == 1.0
