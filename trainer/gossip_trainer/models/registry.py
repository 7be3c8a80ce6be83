"""From the job's `model` to a module: built-in and user's own models take the same path.

A model is a callable that returns a module. It gets the job's `args`, and `input_shape` and
`num_classes` of the data set if its signature has them.
"""

import importlib
import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches

import torch
from torch import nn

from gossip_api.training import Model
from gossip_trainer.errors import GossipTrainerError, ModelError
from gossip_trainer.seeding import derive_seed

BUILT_IN = {
    "mlp": "gossip_trainer.models.mlp:mlp",
    "cnn": "gossip_trainer.models.cnn:cnn",
    "resnet18": "gossip_trainer.models.resnet:resnet18",
    "quadratic": "gossip_trainer.models.quadratic:quadratic",
}

_VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def build_model(
    settings: Model, *, input_shape: tuple[int, ...], num_classes: int, seed: int
) -> nn.Module:
    """Build the job's model on the CPU, with the parameters that `seed` decides.

    torch's global random stream is left as it was. A model that draws from elsewhere (numpy) has
    to seed that itself.

    Args:
        settings: the job's `model`.
        input_shape: of one example.
        num_classes: how many outputs are expected.
        seed: the job's seed; workers with the same seed start from the same parameters.

    Raises:
        ModelError: the name or an argument is wrong, or what is called fails or returns no module.

    """
    factory = _resolve(settings.name)
    context = {"input_shape": input_shape, "num_classes": num_classes}
    arguments = _bind(factory, settings, context)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive_seed(seed, "model"))
        try:
            model = factory(**arguments)
        except GossipTrainerError:
            raise
        except Exception as error:
            raise ModelError(
                f"spec.training.model {settings.name}: the call with {arguments} failed: "
                f"{type(error).__name__}: {error}"
            ) from error
    if not isinstance(model, nn.Module):
        raise ModelError(
            f"spec.training.model.name {settings.name}: returned {type(model).__name__}, "
            "expected a torch.nn.Module"
        )
    return model


def _resolve(name: str) -> Callable[..., object]:
    """Import what a name stands for."""
    place = f"spec.training.model.name {name!r}"
    module_name, _, attribute = BUILT_IN.get(name, name).partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise ModelError(
            f"{place}: cannot import {module_name}: {type(error).__name__}: {error}; "
            "the module must lie in the folder the command is given in, or on PYTHONPATH"
        ) from error
    factory: object = getattr(module, attribute, None)
    if factory is None:
        near = get_close_matches(attribute, dir(module), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ModelError(f"{place}: {module_name} has no {attribute!r}{hint}")
    if not callable(factory):
        raise ModelError(f"{place}: a {type(factory).__name__} cannot be called")
    return factory


def _bind(
    factory: Callable[..., object], settings: Model, context: Mapping[str, object]
) -> dict[str, object]:
    """Put the job's arguments and those of the context together, and check them by signature."""
    try:
        signature = inspect.signature(factory)
    except ValueError as error:
        raise ModelError(
            f"spec.training.model.name {settings.name!r}: Python cannot tell its arguments; "
            "wrap it in a function"
        ) from error
    parameters = signature.parameters
    named = [name for name, parameter in parameters.items() if parameter.kind not in _VARIABLE]
    takes_all = any(parameter.kind is _VARIABLE[1] for parameter in parameters.values())
    allowed = [name for name in named if name not in context]
    for name in settings.args:
        place = f"spec.training.model.args.{name}"
        if name in named and name in context:
            raise ModelError(f"{place}: comes from the data set ({context[name]}); remove it")
        if name not in allowed and not takes_all:
            raise _unknown_argument(place, settings.name, name, allowed)
    arguments = {**settings.args, **{name: context[name] for name in named if name in context}}
    try:
        signature.bind(**arguments)
    except TypeError as error:
        raise ModelError(f"spec.training.model.args of {settings.name}: {error}") from error
    return arguments


def _unknown_argument(place: str, model: str, name: str, allowed: list[str]) -> ModelError:
    near = get_close_matches(name, allowed, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    known = f"allowed are {', '.join(allowed)}" if allowed else "it takes none; remove it"
    return ModelError(f"{place}: unknown argument of {model}{hint}; {known}")
