"""Who may watch a job."""

import pytest
from pydantic import ValidationError

from gossip_api.monitoring import LabelSelector, Monitoring


def test_everybody_may_scrape_by_default():
    scrape = Monitoring().scrape_from
    everything = LabelSelector(match_labels={}, match_expressions=None)
    assert scrape.namespace_selector == scrape.pod_selector == everything


def test_selectors_are_kubernetes_own():
    document = {
        "matchLabels": {"a": "b"},
        "matchExpressions": [
            {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["monitoring"]}
        ],
    }
    selector = LabelSelector.model_validate(document)
    assert selector.model_dump(mode="json", by_alias=True) == document


@pytest.mark.parametrize(
    "requirement",
    [
        {"key": "a", "operator": "In"},
        {"key": "a", "operator": "NotIn", "values": []},
        {"key": "a", "operator": "Exists", "values": ["b"]},
        {"key": "", "operator": "Exists"},
        {"key": "a", "operator": "Equals", "values": ["b"]},
    ],
)
def test_a_requirement_that_the_api_server_would_refuse_is_refused(requirement):
    with pytest.raises(ValidationError):
        LabelSelector.model_validate({"matchExpressions": [requirement]})


@pytest.mark.parametrize("wrong", [{"metricsPort": 80}, {"podMonitor": "Always"}])
def test_anything_else_is_refused(wrong):
    with pytest.raises(ValidationError):
        Monitoring.model_validate(wrong)
