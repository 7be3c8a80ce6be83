"""A module whose parameters, float buffers and gradients live in two flat vectors.

One flat vector means one optimizer kernel per step, one copy to publish and one pass to mix; the
module keeps working on its own tensors, which are views.
"""

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gossip_trainer.algorithms.iterate import Iterate, LookAhead
from gossip_trainer.errors import ModelError
from gossip_trainer.replica.layout import Layout, exchanged_tensors, layout_of


class FlatModel:
    """Moves a module's tensors into flat vectors and keeps both views of them.

    Attributes:
        module: the module; its parameters, float buffers and gradients are views from now on.
        layout: where each tensor lies.
        vector: parameters and float buffers, shape (layout.size,).
        parameter: the leading `layout.num_parameters` values as the one parameter the optimizer
            moves; its `grad` is the flat gradient. Clear it with `parameter.grad.zero_()`: setting
            the gradients to None would cut the views.

    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.layout: Layout = layout_of(module)
        layout = self.layout
        device = next(module.parameters()).device
        self.vector = torch.zeros(layout.size, dtype=layout.dtype, device=device)
        trainable, others = exchanged_tensors(module)
        tensors = trainable | others
        for entry in layout.entries:
            home = entry.of(self.vector)
            home.copy_(tensors[entry.name].detach())
            tensors[entry.name].data = home
        self._trainable = trainable
        self.parameter = nn.Parameter(self.vector[: layout.num_parameters])
        self.renew_gradient()

    def renew_gradient(self) -> None:
        """Put new memory in the gradient's place: something may yet write to the old."""
        self.gradient = torch.zeros_like(self.vector[: self.layout.num_parameters])
        for entry in self.layout.trainable:
            self._trainable[entry.name].grad = entry.of(self.gradient)
        self.parameter.grad = self.gradient

    def gather_gradients(self) -> None:
        """Bring gradients that lie elsewhere into the flat vector, and put the views back.

        `zero_grad` and wrappers of training scripts replace a parameter's gradient.

        Raises:
            ModelError: a parameter itself was moved out of the flat vector.

        """
        for entry in self.layout.trainable:
            parameter, home = self._trainable[entry.name], entry.of(self.gradient)
            if parameter.data_ptr() != entry.of(self.vector).data_ptr():
                raise ModelError(
                    f"the parameter {entry.name} was moved or replaced after the model was laid "
                    "out; move the model to its device, and wrap it, before that"
                )
            if parameter.grad is None:
                home.zero_()
            elif parameter.grad.data_ptr() != home.data_ptr():
                home.copy_(parameter.grad)
            parameter.grad = home

    def load_(self, vector: Tensor) -> None:
        """Overwrite parameters and float buffers with `vector`, shape (layout.size,)."""
        with torch.no_grad():
            self.vector.copy_(vector)


def iterate_of(model: FlatModel, optimizer: Optimizer) -> Iterate:
    """Return the point x that peers exchange, given what the optimizer has done so far.

    `optimizer` must hold the model's flat parameter.
    """
    return iterate_over(model.vector, model.parameter, optimizer)


def iterate_over(vector: Tensor, parameter: nn.Parameter, optimizer: Optimizer) -> Iterate:
    """Return x of a vector whose leading part is the `parameter` that the optimizer moves.

    For SGD with Nesterov momentum torch keeps theta = x - momentum * lr * buffer. Every other
    optimizer moves x itself.
    """
    group = optimizer.param_groups[0]
    if not group.get("nesterov", False):
        return Iterate(vector)
    buffer = optimizer.state.get(parameter, {}).get("momentum_buffer")
    if buffer is None:
        return Iterate(vector)
    return Iterate(vector, LookAhead(buffer, group["momentum"] * group["lr"]))
