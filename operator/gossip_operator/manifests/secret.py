"""The Secret with the job's keys; no other object of a job holds one."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from gossip_api.names import tls_name
from gossip_operator.manifests.metadata import Manifest, metadata

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gossip_api.job import GossipTrainingJob

CERTIFICATE: Final = "tls.crt"
KEY: Final = "tls.key"
AUTHORITY: Final = "ca.crt"


def credentials(
    job: GossipTrainingJob,
    *,
    uid: str,
    owner: Mapping[str, Any],
    tls_crt: str,
    tls_key: str,
    ca_crt: str,
) -> Manifest:
    """Return the Secret of three PEM texts; created once, never applied, never logged."""
    texts = {CERTIFICATE: tls_crt, KEY: tls_key, AUTHORITY: ca_crt}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(job, tls_name(job.metadata.name), uid=uid, owner=owner),
        "type": "kubernetes.io/tls",
        "data": {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()},
    }
