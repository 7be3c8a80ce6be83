"""`python -m gossip_api.metrics`: print docs/metrics.md."""

import sys

from gossip_api.metrics.reference import metrics_reference

if __name__ == "__main__":
    sys.stdout.write(metrics_reference())
