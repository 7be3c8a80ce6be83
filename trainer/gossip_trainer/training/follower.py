"""A process that computes on one more device of a worker; see `inner_group`.

It is told what to do over a line that the leader's end closes, and ends with it.
"""

import signal
import sys
from contextlib import suppress
from datetime import timedelta
from multiprocessing.connection import Connection

import torch
from torch.distributed import FileStore  # type: ignore[attr-defined]  # not exported there

from gossip_trainer.data.registry import load_dataset
from gossip_trainer.errors import DeviceError
from gossip_trainer.replica.flat import FlatModel
from gossip_trainer.replica.initial import initial_model
from gossip_trainer.replica.placement import settle_on
from gossip_trainer.seeding import derive_seed
from gossip_trainer.training.fabric import Fabric
from gossip_trainer.training.gradient import GradientComputation
from gossip_trainer.training.inner_group import Plan
from gossip_trainer.training.slices import SliceComputation, SliceShapes

READY = ""


def main(line: Connection) -> int:
    """Follow the leader at the other end until it hangs up; return the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        follow(line.recv(), line)
    except (EOFError, ConnectionError):
        return 0
    except Exception as error:  # noqa: BLE001 - the leader is to hear of it, whatever it is
        with suppress(OSError):  # unless it was the leader that went
            line.send(" ".join(str(error).split()) or type(error).__name__)
        return 1
    return 0


def follow(plan: Plan, line: Connection) -> None:
    """Compute slices until the leader hangs up.

    Raises:
        EOFError: it has.
        DeviceError: the model is another than the leader's, or an operation failed.

    """
    torch.set_num_threads(plan.num_threads)
    settle_on(plan.device)
    torch.manual_seed(derive_seed(plan.training.seed, "device", plan.rank, plan.position))
    dataset = load_dataset(plan.training.data, plan.training.seed)
    module = initial_model(
        plan.training, input_shape=dataset.input_shape, num_classes=dataset.num_classes
    )
    model = FlatModel(module.to(plan.device))
    if model.layout.digest() != plan.digest:
        raise DeviceError("the model has other tensors than the leader's; build both alike")
    line.send(READY)
    fabric = Fabric(
        FileStore(plan.meeting, plan.size),
        position=plan.position,
        size=plan.size,
        device=plan.device,
        timeout=timedelta(seconds=plan.step_seconds),
        # In the middle of a step the leader says nothing: there is only its hanging up to hear.
        find_lost=lambda: "the leader is gone" if line.poll() else "",
    )
    compute = GradientComputation(model, dataset.loss, plan.training)
    own = SliceComputation(model, compute, fabric)
    model.module.train()
    while True:
        shapes: SliceShapes = line.recv()
        part = shapes.room()
        own.receive()
        fabric.take_(part)
        own.compute(part, shapes.num_examples)


if __name__ == "__main__":
    sys.exit(main(Connection(int(sys.argv[1]))))
