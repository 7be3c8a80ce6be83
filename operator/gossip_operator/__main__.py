"""`python -m gossip_operator`."""

import sys

from gossip_operator.cli import main

if __name__ == "__main__":
    sys.exit(main())
