"""The model that training begins with: the seed's, or one that was trained before."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from gossip_api.training import Training
from gossip_trainer.checkpoint.objects import download, is_bucket, open_bucket
from gossip_trainer.errors import CheckpointError, ModelError
from gossip_trainer.models.registry import build_model

NUM_NAMED: Final = 5  # tensors that an error names, of each kind
WRAPPERS: Final = ("module.", "_orig_mod.")  # DistributedDataParallel's prefix, torch.compile's


def initial_model(
    training: Training, *, input_shape: tuple[int, ...], num_classes: int
) -> nn.Module:
    """Build the job's model with the values that all its processes begin with.

    Args:
        training: decides model, seed and initial model.
        input_shape: of one example.
        num_classes: how many outputs are expected.

    Raises:
        ModelError: the model cannot be built, or the initial one is not to be had or does not fit.

    """
    module = build_model(
        training.model, input_shape=input_shape, num_classes=num_classes, seed=training.seed
    )
    if training.initial_model is not None:
        load_initial_(module, training.initial_model)
    if training.memory_format == "ChannelsLast":
        # The flat vector keeps the order that the model's tensors have.
        module.to(memory_format=torch.channels_last)
    return module


def load_initial_(module: nn.Module, where: str) -> None:
    """Give `module` the values of a saved state dict of the same names and shapes.

    Args:
        module: overwritten.
        where: path or bucket's URL of a safetensors file.

    Raises:
        ModelError: there is no such file, or it does not fit; the text says in what.

    """
    place = f"spec.training.initialModel {where}"
    try:
        with _local(where) as path:
            tensors = load_file(path)
    except (OSError, CheckpointError) as error:
        raise ModelError(f"{place}: cannot be read: {error}") from error
    except SafetensorError as error:
        raise ModelError(
            f"{place}: is no safetensors file ({error}); `gossip export` writes one, and "
            "safetensors.torch.save_file(model.state_dict(), ...) for any model"
        ) from error
    own = module.state_dict()
    if faults := list(_faults(own, tensors)):
        faults.append(_advice(own, tensors))
        raise ModelError(f"{place}: does not fit spec.training.model: {'; '.join(faults)}")
    module.load_state_dict(tensors)


@contextmanager
def _local(where: str) -> Iterator[Path]:
    if not is_bucket(where):
        yield Path(where).expanduser()
        return
    folder, _, name = where.rpartition("/")
    with tempfile.TemporaryDirectory(prefix="gossip-model-") as scratch:
        path = Path(scratch) / "model"
        download(open_bucket(folder), name, path)
        if not path.exists():
            raise FileNotFoundError("there is no such object")
        yield path


def _faults(own: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> Iterator[str]:
    if missing := [name for name in own if name not in found]:
        yield f"it lacks {_listed(missing)}"
    if unexpected := [name for name in found if name not in own]:
        yield f"it has {_listed(unexpected)}, which the model does not"
    misshaped = _misshaped(own, found)
    for name in misshaped[:NUM_NAMED]:
        yield f"its {name} is {list(found[name].shape)} instead of {list(own[name].shape)}"
    if len(misshaped) > NUM_NAMED:
        yield f"{len(misshaped) - NUM_NAMED} more have other shapes"


def _misshaped(own: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    return [name for name in own if name in found and own[name].shape != found[name].shape]


def _listed(names: Iterable[str]) -> str:
    named = list(names)
    more = len(named) - NUM_NAMED
    return ", ".join(named[:NUM_NAMED]) + (f" and {more} more" if more > 0 else "")


def _advice(own: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str:
    for prefix in WRAPPERS:
        if {prefix + name for name in own} == found.keys():
            return (
                f"its names begin with {prefix!r}, a wrapper's: save the model inside the wrapper"
            )
    misshaped = _misshaped(own, found)
    if misshaped and own.keys() == found.keys() and _differ_in_classes(misshaped, own, found):
        return (
            "it was trained for another number of classes, and a head is not carried over: build "
            "the model by a callable of your own that loads all but the head"
        )
    return "it must be a state dict of the same model with the same args"


def _differ_in_classes(
    names: list[str], own: Mapping[str, Tensor], found: Mapping[str, Tensor]
) -> bool:
    """Tell whether weight and bias of one layer differ in nothing but the number of outputs."""
    layers = {name.rpartition(".")[0] for name in names}
    return len(layers) == 1 and all(own[n].shape[1:] == found[n].shape[1:] for n in names)
