"""What every process of a local run needs, imported once.

Importing torch and its optimizers takes seconds of CPU time. The launcher's fork server imports
this module and forks each process from it; a container starts from scratch instead.
"""

import torch

from gossip_trainer.process import main

# The first optimizer of a process makes torch import its compiler, which takes longest of all.
torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)

__all__ = ["main"]
