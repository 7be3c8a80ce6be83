"""The digest of what is applied."""

from gossip_api.names import APPLIED_HASH_ANNOTATION
from gossip_operator.manifests.metadata import digest, stamped

MANIFEST = {"kind": "Role", "metadata": {"name": "a", "labels": {"x": "1", "y": "2"}}, "rules": []}


def test_does_not_depend_on_the_order_of_names():
    turned = {
        "rules": [],
        "metadata": {"labels": {"y": "2", "x": "1"}, "name": "a"},
        "kind": "Role",
    }
    assert digest(turned) == digest(MANIFEST)


def test_depends_on_every_value():
    assert digest(MANIFEST | {"rules": [{}]}) != digest(MANIFEST)
    annotated = {**MANIFEST["metadata"], "annotations": {"a": "b"}}
    assert digest(MANIFEST | {"metadata": annotated}) != digest(MANIFEST)


def test_is_the_same_once_it_is_written_down():
    once = stamped(MANIFEST)
    assert once["metadata"]["annotations"][APPLIED_HASH_ANNOTATION] == digest(MANIFEST)
    assert stamped(once) == once


def test_writing_it_down_leaves_the_manifest_as_it_was_and_keeps_other_annotations():
    annotated = {**MANIFEST, "metadata": {**MANIFEST["metadata"], "annotations": {"a": "b"}}}
    assert stamped(annotated)["metadata"]["annotations"].keys() == {"a", APPLIED_HASH_ANNOTATION}
    assert annotated["metadata"]["annotations"] == {"a": "b"}
