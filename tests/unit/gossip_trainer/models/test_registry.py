import sys
from types import ModuleType

import pytest
import torch
from torch import nn

from gossip_api.training import BUILT_IN_MODELS, Model
from gossip_trainer.errors import ModelError
from gossip_trainer.models.registry import BUILT_IN, build_model


def build(name, args=None, *, input_shape=(1, 8, 8), num_classes=10, seed=1):
    settings = Model(name=name, args=args or {})
    return build_model(settings, input_shape=input_shape, num_classes=num_classes, seed=seed)


def linear(*, input_shape, num_classes, bias=True):
    return nn.Sequential(nn.Flatten(), nn.Linear(input_shape[-1], num_classes, bias=bias))


def required(width):
    return nn.Linear(width, width)


def failing(**arguments):
    raise RuntimeError(f"cannot build with {arguments}")


@pytest.fixture(autouse=True)
def user_module(monkeypatch):
    module = ModuleType("users_models")
    module.linear = linear
    module.required = required
    module.failing = failing
    module.everything = lambda **arguments: nn.Linear(*sorted(arguments.values()))
    module.text = lambda: "a model"
    module.number = 3
    monkeypatch.setitem(sys.modules, "users_models", module)


def parameters(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_the_names_known_without_torchvision_are_those_built_in_and_one_of_its_own():
    assert set(BUILT_IN_MODELS) - set(BUILT_IN) == {"resnet18"}
    assert set(BUILT_IN) < set(BUILT_IN_MODELS)


@pytest.mark.parametrize("name", sorted(set(BUILT_IN_MODELS) - {"gpt", "quadratic"}))
def test_a_built_in_model_maps_a_batch_to_one_value_per_class(name):
    model = build(name).eval()
    assert model(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


@pytest.mark.parametrize("name", ["mlp", "cnn", "users_models:linear"])
def test_parameters_follow_from_the_seed_alone(name):
    torch.manual_seed(1)
    first = parameters(build(name, seed=7))
    torch.manual_seed(2)
    assert torch.equal(parameters(build(name, seed=7)), first)
    assert not torch.equal(parameters(build(name, seed=8)), first)


def test_building_leaves_torchs_global_random_stream_alone():
    before = torch.get_rng_state()
    build("mlp")
    assert torch.equal(torch.get_rng_state(), before)


def test_a_users_callable_gets_its_arguments_and_what_the_data_set_decides():
    model = build("users_models:linear", {"bias": False}, input_shape=(5,), num_classes=3)
    assert model[1].weight.shape == (3, 5)
    assert model[1].bias is None


def test_a_class_is_a_callable_too():
    model = build("torch.nn:Linear", {"in_features": 4, "out_features": 2})
    assert model.weight.shape == (2, 4)


def test_a_callable_that_takes_anything_gets_all_arguments():
    assert build("users_models:everything", {"num_classes": 4, "x": 3}).weight.shape == (4, 3)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("restnet50", "there is no such model; did you mean resnet50 or resnet"),
        ("zzz", "there is no such model; allowed are mlp, cnn, quadratic"),
        ("no_such_package:x", "cannot import no_such_package: ModuleNotFoundError"),
        ("users_models:linaer", "users_models has no 'linaer'; did you mean 'linear'?"),
        ("users_models:number", "a int cannot be called"),
        ("users_models:text", "returned str, expected a torch.nn.Module"),
        ("builtins:iter", "Python cannot tell its arguments"),
    ],
)
def test_a_name_that_leads_to_no_model_is_an_error_that_says_why(name, text):
    with pytest.raises(ModelError) as caught:
        build(name)
    assert text in str(caught.value)
    assert "spec.training.model.name" in str(caught.value)


def test_a_module_that_fails_while_it_is_imported_is_named(tmp_path, monkeypatch):
    (tmp_path / "broken_models.py").write_text("raise ValueError('half written')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelError, match="cannot import broken_models: ValueError: half written"):
        build("broken_models:model")


@pytest.mark.parametrize(
    ("name", "args", "text"),
    [
        ("mlp", {"hiden": [8]}, "args.hiden: unknown argument of mlp (did you mean hidden?); "),
        ("resnet18", {"depth": 8}, "args.depth: unknown argument of resnet18; allowed are zero_"),
        ("mlp", {"num_classes": 3}, "args.num_classes: comes from the data set (10); remove it"),
        ("users_models:linear", {"bia": 1}, "args.bia: unknown argument of users_models:linear"),
        ("users_models:required", {}, "missing a required argument: 'width'"),
        ("mlp", {"hidden": [8, 0]}, "args.hidden: got [8, 0], expected a list of integers >= 1"),
        ("mlp", {"hidden": 8}, "args.hidden: got 8, expected a list of integers >= 1"),
        ("cnn", {"channels": [8]}, "args.channels: got [8], expected a list of 2 integers >= 1"),
        ("cnn", {"channels": [8, True]}, "args.channels: got [8, True]"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_named_with_what_is_allowed(name, args, text):
    with pytest.raises(ModelError) as caught:
        build(name, args)
    assert text in str(caught.value)
    assert "spec.training.model.args" in str(caught.value)


def test_a_callable_that_fails_is_named_with_its_arguments_and_error():
    with pytest.raises(ModelError) as caught:
        build("users_models:failing", {"depth": 3})
    assert str(caught.value) == (
        "spec.training.model users_models:failing: the call with {'depth': 3} failed: "
        "RuntimeError: cannot build with {'depth': 3}"
    )


@pytest.mark.parametrize(
    ("name", "shape"), [("cnn", (32,)), ("cnn", (1, 3, 8)), ("resnet18", (8, 8))]
)
def test_a_model_for_images_refuses_other_data(name, shape):
    with pytest.raises(ModelError, match=rf"{name}: the data has inputs of shape .*mlp takes any"):
        build(name, input_shape=shape)
