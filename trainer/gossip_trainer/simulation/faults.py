"""Faults at their times, and whether they can happen at all."""

from collections.abc import Callable
from datetime import timedelta
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


def schedule_restarts(
    clock: Clock,
    faults: tuple[Fault, ...],
    *,
    lose: Callable[[], None],
    bring_back: Callable[[], None],
) -> None:
    """Call both when their times have come, for every fault that is a restart."""
    for fault in faults:
        if fault.restart is not None:
            clock.after(fault.at.total_seconds(), lose)
            clock.after((fault.at + fault.restart).total_seconds(), bring_back)


def check_ranks(faults: tuple[Fault, ...], stragglers: tuple[int, ...], workers: int) -> None:
    """See that everything named is there when it is needed.

    Raises:
        RunError: a straggler or a fault names a worker that is not there, or is there already; or
            a fault happens while nobody is there.

    """
    there = set(range(workers))
    joins = {fault.join for fault in faults}
    for index, rank in enumerate(stragglers):
        if rank not in there | joins:
            raise RunError(
                f"spec.simulation.stragglers[{index}].worker: got {rank}, but ranks are 0 to "
                f"{workers - 1} with {workers} workers; name one of them or simulate more workers"
            )
    back = timedelta()
    for index, fault in _in_order(faults):
        place = f"spec.simulation.faults[{index}]"
        if fault.at <= back:
            raise RunError(
                f"{place}.at: at {fault.at} nobody is there: all processes were lost, and come "
                f"back at {back}; choose a later time"
            )
        if fault.restart is not None:
            back = fault.at + fault.restart
            continue
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


def _in_order(faults: tuple[Fault, ...]) -> list[tuple[int, Fault]]:
    """Return the faults with their places in the list, in the order in which they happen."""
    # What happens to one worker happens before all are lost at the same moment.
    return sorted(enumerate(faults), key=lambda item: (item[1].at, item[1].restart is not None))
