"""How long a checkpoint of ResNet-50 with momentum takes to save and to read, and in what memory.

Run: python tests/bench/bench_checkpoint.py [FOLDER or s3://bucket/folder]
"""

import resource
import sys
import tempfile
import time

import torch

from gossip_trainer.checkpoint.store import Checkpoint, CheckpointStore

RESNET50_FLOATS = 25_557_032
SAVES = 5
MEGABYTE = 1_000_000


def peak_bytes() -> int:
    """Return the most memory that the process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(root: str) -> None:
    """Save and read, and print the figures."""
    tensors = {name: torch.randn(RESNET50_FLOATS) for name in ("vector", "momentum")}
    size = sum(tensor.nbytes for tensor in tensors.values())
    store = CheckpointStore(root, "worker-0", keep=2)
    store.save(Checkpoint(0, {"warm": torch.zeros(1)}, {}))
    before = peak_bytes()
    for step in range(1, SAVES + 1):
        began, computed = time.perf_counter(), time.process_time()
        store.save(Checkpoint(step, tensors, {}))
        seconds, cpu = time.perf_counter() - began, time.process_time() - computed
        print(f"saved {size / MEGABYTE:.0f} MB in {seconds:.2f} s, {cpu:.2f} s of CPU")
    print(f"more memory than before: {(peak_bytes() - before) / MEGABYTE:.0f} MB")
    began = time.perf_counter()
    store.newest()
    print(f"verified and read in {time.perf_counter() - began:.2f} s")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(folder)
