"""What all laws share."""

import torch

torch.set_num_threads(1)  # see tests/unit/gossip_trainer/conftest.py
