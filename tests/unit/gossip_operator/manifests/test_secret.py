"""The Secret with the job's keys."""

import base64
import json
from datetime import UTC, datetime

from manifest_jobs import UID, children_of, job, pod_of

from gossip_operator.credentials import issue
from gossip_operator.manifests.metadata import owner_reference
from gossip_operator.manifests.secret import credentials

ISSUED = issue("team", UID, datetime(2026, 1, 1, tzinfo=UTC))


def secret():
    return credentials(
        job(),
        uid=UID,
        owner=owner_reference("mnist", UID),
        tls_crt=ISSUED.tls_crt,
        tls_key=ISSUED.tls_key,
        ca_crt=ISSUED.ca_crt,
    )


def test_holds_the_three_files_that_a_process_reads():
    found = secret()
    assert found["type"] == "kubernetes.io/tls"
    texts = {name: base64.b64decode(data).decode() for name, data in found["data"].items()}
    assert texts == {
        "tls.crt": ISSUED.tls_crt,
        "tls.key": ISSUED.tls_key,
        "ca.crt": ISSUED.ca_crt,
    }


def test_is_what_pods_mount_readable_for_nobody_but_their_user():
    pod = pod_of(job())
    (volume,) = [each for each in pod["spec"]["volumes"] if "secret" in each]
    assert volume["secret"] == {"secretName": secret()["metadata"]["name"], "defaultMode": 0o440}


def test_no_other_object_has_a_place_for_a_key():
    everything = json.dumps([*children_of(job()).values(), pod_of(job())])
    assert "PRIVATE KEY" not in everything
    assert "PRIVATE KEY" in base64.b64decode(secret()["data"]["tls.key"]).decode()
