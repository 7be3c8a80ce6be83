"""Files generated from the models are current, so that nobody reads or applies old ones."""

from pathlib import Path

from gossip_api.crd import crd_yaml
from gossip_api.reference import job_reference

ROOT = Path(__file__).parents[2]
CRD = ROOT / "manifests" / "crd" / "gossiptrainingjobs.yaml"


def test_the_definition_in_manifests_is_current():
    assert CRD.read_text() == crd_yaml(), "run `python -m gossip_api.crd` into manifests/crd"


def test_the_reference_in_docs_is_current():
    text = (ROOT / "docs" / "job-reference.md").read_text()
    assert text == job_reference(), "run `python -m gossip_api.reference` into docs"
