"""What all tests of the trainer share."""

import torch

# The tensors of these tests are tiny, and tests run beside each other: threads that wait for each
# other on a busy machine make a step fifty times as long.
torch.set_num_threads(1)
