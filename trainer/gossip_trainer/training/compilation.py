"""A module compiled with torch.compile, whose failure says what to do."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gossip_trainer.errors import ModelError


def compiled(module: nn.Module) -> Callable[[Tensor], Tensor]:
    """Return the module's forward, compiled when it is first called.

    It stays a view of the same parameters, which may move to other memory between calls. It raises
    ModelError where the module cannot be compiled.
    """
    # It is loaded here because it takes seconds.
    from torch._dynamo.exc import TorchDynamoException  # noqa: PLC0415

    forward = torch.compile(module)

    def call(inputs: Tensor) -> Tensor:
        try:
            outputs: Tensor = forward(inputs)
        except TorchDynamoException as error:
            reason = " ".join(str(error).partition("\n\n")[0].split())
            raise ModelError(
                f"spec.training.compile: torch.compile fails with {type(module).__name__}: "
                f"{reason}; it needs a C++ compiler where the workers run, and a model that torch "
                "can trace; else set compile: false"
            ) from error
        return outputs

    return call
