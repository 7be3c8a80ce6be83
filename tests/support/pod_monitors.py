"""PodMonitors on a test bed: their definition, which Prometheus' operator brings to a cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from testbed.bed import Bed
from testbed.errors import ApiError
from testbed.waiting import wait_for

API = "/apis/monitoring.coreos.com/v1"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NAME = "podmonitors.monitoring.coreos.com"

TEXT = {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}


def _mapping(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


RELABELING = _mapping(action=TEXT, regex=TEXT, sourceLabels=TEXTS, targetLabel=TEXT)
ENDPOINT = _mapping(port=TEXT, path=TEXT, relabelings={"type": "array", "items": RELABELING})
SPEC = _mapping(
    selector=_mapping(matchLabels={"type": "object", "additionalProperties": TEXT}),
    podMetricsEndpoints={"type": "array", "items": ENDPOINT},
)
"""The part of a PodMonitor that is used; what is spelled otherwise the API server drops."""


@contextmanager
def pod_monitors(bed: Bed) -> Iterator[None]:
    """Have the API server know PodMonitors until the block ends."""
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _mapping(spec=SPEC)},
    }
    body = {
        "metadata": {"name": NAME},
        "spec": {
            "group": "monitoring.coreos.com",
            "names": {"kind": "PodMonitor", "plural": "podmonitors"},
            "scope": "Namespaced",
            "versions": [version],
        },
    }
    bed.api.create(DEFINITIONS, body)
    try:
        wait_for(lambda: _are_served(bed), "the API of PodMonitors", seconds=20)
        yield
    finally:
        bed.api.delete(f"{DEFINITIONS}/{NAME}")
        wait_for(lambda: not _are_served(bed), "the end of PodMonitors", seconds=30)


def _are_served(bed: Bed) -> bool:
    try:
        bed.api.list(f"{API}/podmonitors")
    except ApiError:
        return False
    return True
