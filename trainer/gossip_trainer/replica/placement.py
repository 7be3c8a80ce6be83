"""Which devices a process trains on."""

from typing import Final

import torch

from gossip_trainer.errors import PlacementError
from gossip_trainer.replica.cuda import CudaCopyStream
from gossip_trainer.replica.device import DeviceLink, HostLink, SideLink

HOST: Final = torch.device("cpu")


def num_gpus() -> int:
    """Return how many GPUs this process sees.

    Not to be asked in a process that others are forked from: CUDA does not survive it.

    Raises:
        PlacementError: there are some, but this PyTorch cannot use them.

    """
    found = torch.cuda.device_count()  # asks the driver, before CUDA starts
    if found and not torch.cuda.is_available():
        raise PlacementError(
            f"there are {found} GPU(s), but PyTorch for CUDA {torch.version.cuda} cannot use them; "
            "update the node's driver, or take an image for an older CUDA"
        )
    return found


def devices_of(rank: int, per_worker: int, gpus: int) -> tuple[torch.device, ...]:
    """Return the devices of a worker, as many as it has processes; CPUs where there is no GPU.

    In a pod a worker sees its own GPUs and takes the first; workers of one machine take turns.

    Raises:
        PlacementError: there are GPUs, but fewer than one worker needs.

    """
    if not gpus:
        return (HOST,) * per_worker
    if gpus < per_worker:
        raise PlacementError(
            f"spec.workers.devicesPerWorker: {per_worker}, but the worker sees {gpus} GPU(s); ask "
            f"for {per_worker} nvidia.com/gpu in the limits of spec.workers.template's container "
            "trainer, or lower devicesPerWorker"
        )
    first = rank % (gpus // per_worker) * per_worker
    return tuple(torch.device("cuda", first + position) for position in range(per_worker))


def settle_on(device: torch.device) -> None:
    """Let what CUDA keeps beside tensors lie on `device` too, instead of on the first GPU."""
    if device.type == "cuda":
        torch.cuda.set_device(device)


def link_of(device: torch.device) -> DeviceLink:
    """Return the link between `device` and host memory."""
    return SideLink(CudaCopyStream(device)) if device.type == "cuda" else HostLink()
