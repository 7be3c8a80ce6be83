"""What touches the world: kopf, the API server, the pods' status, clocks, keys and metrics."""
