"""One worker's model as one flat vector, and the snapshots of it that peers read."""
