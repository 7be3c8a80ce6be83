"""The controller: turns a GossipTrainingJob into Kubernetes objects."""
