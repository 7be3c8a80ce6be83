"""From the job's `model` to a module: built-in, torchvision's and users' own take the same path.

A model is a callable that returns a module. It gets the job's `args`, and `input_shape` and
`num_classes` of the data set if its signature has them.
"""

from collections.abc import Callable
from difflib import get_close_matches

import torch
from torch import nn

from gossip_api.training import Model
from gossip_trainer.errors import ModelError
from gossip_trainer.seeding import derive_seed
from gossip_trainer.user_callable import UserCallable

BUILT_IN = {
    "mlp": "gossip_trainer.models.mlp:mlp",
    "cnn": "gossip_trainer.models.cnn:cnn",
    "quadratic": "gossip_trainer.models.quadratic:quadratic",
    "gpt": "gossip_trainer.models.gpt:gpt",
}


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
    own = UserCallable(settings.name, "spec.training.model", ModelError)
    factory = _resolve(settings.name)
    context = {"input_shape": input_shape, "num_classes": num_classes}
    arguments = own.bind(factory, settings.args, context, "the data set")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive_seed(seed, "model"))
        model = own.call(factory, arguments)
    if not isinstance(model, nn.Module):
        raise ModelError(
            f"spec.training.model.name {settings.name}: returned {type(model).__name__}, "
            "expected a torch.nn.Module"
        )
    return model


def check_name(name: str) -> None:
    """Check that a name without a colon is that of a model; others are not imported.

    Raises:
        ModelError: it is not, with those that are spelled alike.

    """
    if ":" not in name:
        _resolve(name)


def _resolve(name: str) -> Callable[..., object]:
    """Import what a name stands for."""
    if ":" not in name and name not in BUILT_IN:
        return _torchvision(name, f"spec.training.model.name {name!r}")
    return UserCallable(name, "spec.training.model", ModelError).find(BUILT_IN.get(name))


def _torchvision(name: str, place: str) -> Callable[..., object]:
    # It is loaded here because it takes a second, which other models need not spend.
    from gossip_trainer.models import torchvision_models  # noqa: PLC0415

    known = torchvision_models.torchvision_names()
    if name in known:
        return torchvision_models.torchvision_factory(name)
    near = get_close_matches(name, [*BUILT_IN, *known], n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise ModelError(
        f"{place}: there is no such model{hint}; allowed are {', '.join(BUILT_IN)}, torchvision's "
        "classification models by their names, and package.module:callable"
    )
