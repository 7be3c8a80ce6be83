"""How many processes decode where the job does not say."""

import os
from pathlib import Path
from typing import Final

CPU_LIMIT_FILE: Final = Path("/sys/fs/cgroup/cpu.max")
MOST: Final = 4


def default_processes() -> int:
    """Return one per CPU that this process may use, at most 4."""
    limit = CPU_LIMIT_FILE.read_text() if CPU_LIMIT_FILE.is_file() else ""
    return processes_for(len(os.sched_getaffinity(0)), limit)


def processes_for(num_cpus: int, limit: str) -> int:
    """Return how many processes suit so many CPUs, of which the control group allows `limit`.

    The limit is written as `150000 100000`, microseconds of each period; `max 100000` is none.
    """
    match limit.split():
        case [quota, period] if quota.isdigit() and period.isdigit() and int(period):
            num_cpus = min(num_cpus, int(quota) // int(period))
    return max(1, min(MOST, num_cpus))
