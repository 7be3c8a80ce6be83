"""Independent, reproducible random streams: one seed per (job, purpose).

Every consumer of randomness names what it draws for, for example
`derive_seed(seed, "order", rank, epoch)`. Streams of different purposes share nothing, so that a
new consumer never shifts the numbers of an old one.
"""

import hashlib
import json

import torch


def derive_seed(seed: int, *purpose: str | int) -> int:
    """Derive a seed in [0, 2**63) from a job's seed and a purpose.

    The mapping is fixed for ever: saved runs are continued and compared with it.
    """
    key = json.dumps([seed, *purpose]).encode("ascii")
    digest = hashlib.blake2b(key, digest_size=8, person=b"gossip-seed").digest()
    return int.from_bytes(digest, "big") >> 1


def derive_generator(seed: int, *purpose: str | int) -> torch.Generator:
    """Return a torch generator on the CPU, seeded by `derive_seed`."""
    return torch.Generator().manual_seed(derive_seed(seed, *purpose))
