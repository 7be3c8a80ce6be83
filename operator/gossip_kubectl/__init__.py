"""`kubectl gossip`: send training jobs to a cluster, see how they stand, read logs, wait."""
