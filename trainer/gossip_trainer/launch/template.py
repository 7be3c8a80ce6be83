"""What every process of a local run needs, imported once.

Importing torch and its optimizers takes seconds of CPU time. The launcher's fork server imports
this module and forks each process from it; a container starts from scratch instead.
"""

import signal

from gossip_trainer.process import main
from gossip_trainer.training.optimizers import warm_up

warm_up()

# The template must outlive what ends the launcher's process group: it brings the processes' exit
# codes. Each process sets its own handlers.
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)

__all__ = ["main"]
