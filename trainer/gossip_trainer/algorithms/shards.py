"""How the job's vector is divided among servers."""

from gossip_trainer.algorithms.effects import Shard

ALIGNMENT = 16  # elements; vectorised kernels treat an aligned part like a vector of its own


def shard_slices(size: int, num_shards: int) -> dict[Shard, slice]:
    """Return each server's part of a vector of `size` elements: in order, nearly equal, aligned.

    A vector of fewer than `num_shards` aligned blocks leaves the last servers an empty part.
    """
    blocks = -(-size // ALIGNMENT)
    bounds = [
        min(size, blocks * index // num_shards * ALIGNMENT) for index in range(num_shards + 1)
    ]
    return {Shard(index): slice(bounds[index], bounds[index + 1]) for index in range(num_shards)}
