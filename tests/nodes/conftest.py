"""The Kubernetes that these tests run on."""

from testbed_fixtures import node_namespace, node_tier

__all__ = ["node_namespace", "node_tier"]
