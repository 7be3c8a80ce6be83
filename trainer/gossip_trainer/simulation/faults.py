"""Faults at their times, and whether they can happen at all."""

from collections.abc import Callable
from functools import partial

from gossip_api.simulation import Fault
from gossip_trainer.errors import RunError
from gossip_trainer.simulation.clock import Clock


def schedule_faults(
    clock: Clock,
    faults: tuple[Fault, ...],
    *,
    crash: Callable[[int], None],
    leave: Callable[[int], None],
    join: Callable[[int], None],
) -> None:
    """Call the one that a fault names with its rank when its time has come."""
    for fault in faults:
        for call, rank in ((crash, fault.crash), (leave, fault.leave), (join, fault.join)):
            if rank is not None:
                clock.after(fault.at.total_seconds(), partial(call, rank))


def check_ranks(faults: tuple[Fault, ...], stragglers: tuple[int, ...], workers: int) -> None:
    """See that everything named is there when it is needed.

    Raises:
        RunError: a straggler or a fault names a worker that is not there, or is there already.

    """
    there = set(range(workers))
    joins = {fault.join for fault in faults}
    for index, rank in enumerate(stragglers):
        if rank not in there | joins:
            raise RunError(
                f"spec.simulation.stragglers[{index}].worker: got {rank}, but ranks are 0 to "
                f"{workers - 1} with {workers} workers; name one of them or simulate more workers"
            )
    for index, fault in sorted(enumerate(faults), key=lambda item: item[1].at):
        place = f"spec.simulation.faults[{index}]"
        goes = fault.crash if fault.crash is not None else fault.leave
        if goes is not None and goes not in there:
            raise RunError(f"{place}: worker {goes} is not there at {fault.at}; take the fault out")
        if goes is not None and len(there) == 1:
            raise RunError(f"{place}: worker {goes} is the last one; nobody would be left to train")
        if fault.join in there:
            raise RunError(
                f"{place}.join: worker {fault.join} is there already at {fault.at}; let it crash "
                "or leave before, or join another rank"
            )
        there = there - {goes} if goes is not None else there | {fault.join or 0}
