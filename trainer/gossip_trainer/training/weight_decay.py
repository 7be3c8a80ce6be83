"""Weight decay of a leading part of a flat parameter, where the optimizer's own takes in all of it.

Norms and biases are the tensors that a flat vector has last; torch would give them a parameter
group of their own, but one flat parameter has one group.
"""

import torch
from torch import nn
from torch.optim import Optimizer


def decay_leading_part(
    optimizer: Optimizer, parameter: nn.Parameter, num_decayed: int, *, decay: float, coupled: bool
) -> None:
    """Let every step of the optimizer begin with the decay of the first values.

    The same up to rounding as torch's two groups, of which one has the decay.

    Args:
        optimizer: has no weight decay of its own.
        parameter: flat; its gradient is changed where the decay is part of that.
        num_decayed: how many values of `parameter` decay.
        decay: the coefficient.
        coupled: whether the decay is an L2 penalty's gradient, as with SGD and Adam, or shrinks the
            values by the learning rate times the coefficient, as with AdamW.

    """
    group = optimizer.param_groups[0]

    @torch.no_grad()
    def begin_step(*_: object) -> None:
        decayed = parameter[:num_decayed]
        if not coupled:
            decayed.mul_(1.0 - group["lr"] * decay)
        elif parameter.grad is not None:
            parameter.grad[:num_decayed].add_(decayed, alpha=decay)

    optimizer.register_step_pre_hook(begin_step)
