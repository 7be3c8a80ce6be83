"""`python -m gossip_trainer.process`: one process of a job, as its environment says."""

import logging
import os
import sys
from pathlib import Path

from gossip_trainer.process.threads import CPU_LIMIT_FILE, NUM_THREADS, num_threads


def _cpu_limit() -> str:
    try:
        return Path(CPU_LIMIT_FILE).read_text()
    except OSError:
        return ""  # no control groups of version 2: no limit that could be read


def _main() -> int:
    os.environ[NUM_THREADS] = num_threads(os.environ, _cpu_limit())
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")

    from gossip_trainer.process.main import main  # noqa: PLC0415 - imports torch, which reads it

    return main(os.environ)


sys.exit(_main())
