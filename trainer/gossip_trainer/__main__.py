"""`python -m gossip_trainer`: one process of a job, as its environment says."""

import os
import sys

from gossip_trainer.process.main import main

sys.exit(main(os.environ))
