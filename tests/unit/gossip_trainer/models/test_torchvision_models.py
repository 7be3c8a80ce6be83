import inspect

import pytest
import torch
import torchvision
from torch import nn

from gossip_api.training import Model
from gossip_trainer.errors import ModelError
from gossip_trainer.models.registry import build_model
from gossip_trainer.models.torchvision_models import torchvision_factory, torchvision_names


def build(name, args=None, *, input_shape=(3, 224, 224), num_classes=7, device="meta"):
    """Build it, on the device meta without memory: what counts are shapes."""
    with torch.device(device):
        settings = Model(name=name, args=args or {})
        return build_model(settings, input_shape=input_shape, num_classes=num_classes, seed=1)


def one_name_of_each_class():
    made = {}
    for name in torchvision_names():
        builder = torchvision.models.get_model_builder(name)
        made.setdefault(inspect.signature(builder).return_annotation, name)
    del made[torchvision.models.RegNet]  # computes its widths with tensors, which need memory
    return sorted(made.values())


@pytest.mark.parametrize("name", one_name_of_each_class())
def test_in_training_a_model_of_any_kind_gives_one_value_per_class(name):
    model = build(name).train()
    assert model(torch.zeros(2, 3, 224, 224, device="meta")).shape == (2, 7)


def test_so_does_a_regnet():
    model = build("regnet_x_400mf", device="cpu").train()
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 7)


@pytest.mark.parametrize("name", ["resnet50", "resnext50_32x4d", "wide_resnet50_2"])
def test_all_resnets_take_small_images_of_any_number_of_channels(name):
    model = build(name, input_shape=(1, 28, 28))
    assert isinstance(model.maxpool, nn.Identity)
    assert model(torch.zeros(2, 1, 28, 28, device="meta")).shape == (2, 7)


def test_a_name_is_the_same_network_as_in_torchvision():
    shapes = {name: p.shape for name, p in build("resnet50", num_classes=1000).named_parameters()}
    with torch.device("meta"):
        expected = torchvision.models.resnet50()
    assert shapes == {name: p.shape for name, p in expected.named_parameters()}


def test_arguments_of_the_models_class_are_passed_on():
    assert build("mobilenet_v3_small", {"dropout": 0.7}).classifier[2].p == 0.7


def test_a_vision_transformer_is_built_for_the_datas_image_size():
    assert build("vit_b_32", input_shape=(3, 64, 64)).image_size == 64


@pytest.mark.parametrize(
    ("name", "shape", "text"),
    [
        ("vit_b_16", (3, 32, 64), "name vit_b_16: the data has images of 32 x 64 pixels, expected"),
        ("vit_b_16", (3, 30, 30), "AssertionError: Input shape indivisible by patch size"),
        ("squeezenet1_1", (1, 64, 64), "the data has images of 1 channels, expected 3; ResNets"),
        ("densenet121", (64,), "inputs of shape [64], expected [channels, height, width]"),
    ],
)
def test_data_that_a_model_cannot_take_is_told_of(name, shape, text):
    with pytest.raises(ModelError) as caught:
        build(name, input_shape=shape)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("name", "argument"),
    [("resnet50", "weights"), ("resnet50", "norm_layer"), ("inception_v3", "aux_logits")],
)
def test_what_a_job_cannot_say_or_the_name_decides_is_no_argument(name, argument):
    parameters = inspect.signature(torchvision_factory(name)).parameters
    assert argument not in parameters
    with pytest.raises(ModelError, match=rf"args\.{argument}: unknown argument of {name}"):
        build(name, {argument: True})
