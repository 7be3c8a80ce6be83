"""torchvision's classification models by their names, fitted to the data and without weights.

All take images of three channels; ResNets of any number, and small ones too (see `resnet`). Vision
transformers and MaxViT are built for the data's image size. Auxiliary outputs, which GoogLeNet and
Inception have in training, are left out: a job has one loss.
"""

import inspect
from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Final

import torchvision.models
from torch import nn

from gossip_trainer.errors import ModelError
from gossip_trainer.models.checks import check_image_shape
from gossip_trainer.models.resnet import fit_stem

_CHANNELS: Final = 3
_MIN_SIDE: Final = 8
_FIXED: Final[dict[str, dict[str, object]]] = {
    name: {"aux_logits": False, "init_weights": True} for name in ("googlenet", "inception_v3")
}


def torchvision_names() -> list[str]:
    """Return the names of torchvision's classification models."""
    names: list[str] = torchvision.models.list_models(torchvision.models)
    return names


def torchvision_factory(name: str) -> Callable[..., nn.Module]:
    """Return what builds the torchvision model of that name, which must be one of the names.

    It takes `input_shape`, `num_classes` and the numbers and switches of the model's class that the
    name does not decide, and says so in its signature.
    """
    builder = torchvision.models.get_model_builder(name)
    known = _class_parameters(builder)

    def build(*, input_shape: tuple[int, ...], num_classes: int, **arguments: object) -> nn.Module:
        image = check_image_shape(name, input_shape, min_side=_MIN_SIDE)
        arguments |= _FIXED.get(name, {}) | _size_arguments(name, known, image)
        model: nn.Module = builder(num_classes=num_classes, **arguments)
        if isinstance(model, torchvision.models.ResNet):
            fit_stem(model, image)
        elif image[0] != _CHANNELS:
            raise ModelError(
                f"spec.training.model.name {name}: the data has images of {image[0]} channels, "
                f"expected {_CHANNELS}; ResNets, cnn and mlp take any number"
            )
        return model

    given = [Parameter(each, Parameter.KEYWORD_ONLY) for each in ("input_shape", "num_classes")]
    free = [
        parameter.replace(kind=Parameter.KEYWORD_ONLY)
        for parameter in known.values()
        if isinstance(parameter.default, int | float)
        and parameter.name not in {"num_classes", *_FIXED.get(name, {})}
    ]
    build.__signature__ = Signature([*given, *free])  # type: ignore[attr-defined]
    return build


def _class_parameters(builder: Callable[..., nn.Module]) -> dict[str, Parameter]:
    """Return the parameters of the class that a builder makes an object of.

    Those without a default are the architecture, which is the builder's to give.
    """
    made = inspect.signature(builder, eval_str=True).return_annotation
    parameters = inspect.signature(made.__init__).parameters.values()
    named = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    return {each.name: each for each in parameters if each.kind in named and each.name != "self"}


def _size_arguments(
    name: str, known: dict[str, Parameter], image: tuple[int, int, int]
) -> dict[str, object]:
    """Return what tells the model how large images are, where it has to know."""
    _, height, width = image
    if "input_size" in known:
        return {"input_size": (height, width)}
    if "image_size" not in known:
        return {}
    if height != width:
        raise ModelError(
            f"spec.training.model.name {name}: the data has images of {height} x {width} pixels, "
            "expected as many rows as columns; crop them or take another model"
        )
    return {"image_size": height}
