"""A real Kubernetes for tests, without containers to start from: control plane, nodes, faults."""
