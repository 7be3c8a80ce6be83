"""How many threads torch gets. Pure, and imports nothing: it is asked before torch is imported."""

from collections.abc import Mapping

NUM_THREADS = "OMP_NUM_THREADS"
CPU_LIMIT_FILE = "/sys/fs/cgroup/cpu.max"


def num_threads(environ: Mapping[str, str], cpu_limit: str) -> str:
    """Return the value for OMP_NUM_THREADS: as it is set, else what the CPU limit allows, else 1.

    Without a limit one process cannot know how many others it shares the machine with; left to
    itself torch would take all cores.

    Args:
        environ: the environment's variables.
        cpu_limit: what the control group says, as `150000 100000`, or `max 100000`; empty if it
            says nothing.

    """
    if set_to := environ.get(NUM_THREADS):
        return set_to
    match cpu_limit.split():
        case [quota, period] if quota.isdigit() and period.isdigit() and int(period):
            return str(max(1, int(quota) // int(period)))
        case _:
            return "1"
