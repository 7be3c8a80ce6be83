"""What a PodMonitor makes of a pod's labels, by Prometheus' own account."""

import json

import pytest
import yaml
from manifest_jobs import children_of, job, pod_of
from prometheus import promtool

from gossip_api.metrics.processes import IDENTITY
from gossip_api.names import Role

ADDED = {"namespace": "team", "container": "trainer", "endpoint": "metrics", "job": "team/mnist"}
"""What Prometheus' operator adds before the relabelings of a monitor, the pod's name aside."""
KEYS = {"sourceLabels": "source_labels", "targetLabel": "target_label"}
"""How Prometheus itself spells what its operator spells like Kubernetes."""


@pytest.fixture(scope="module")
def scraped(tmp_path_factory):
    """The labels of the series of a rank's first pod, and of the next one's."""
    config = tmp_path_factory.mktemp("scraped") / "prometheus.yml"
    (endpoint,) = children_of(job())["PodMonitor"]["spec"]["podMetricsEndpoints"]
    scrape = {
        "job_name": "x",
        "static_configs": [target(pod_of(job(), Role.WORKER, 3, number)) for number in (0, 1)],
        "relabel_configs": [
            {KEYS.get(key, key): value for key, value in one.items()}
            for one in endpoint["relabelings"]
        ],
    }
    config.write_text(yaml.safe_dump({"scrape_configs": [scrape]}))
    said = promtool("check", "service-discovery", "--timeout=1s", config, "x")
    found = [one["labels"] for one in json.loads(said[said.index("[") :])]
    return sorted(found, key=lambda labels: labels["pod"])


def target(pod):
    """Describe a pod as Prometheus finds it, with what its operator adds."""
    discovered = {
        "__meta_kubernetes_pod_label_" + name.translate(str.maketrans("./-", "___")): value
        for name, value in pod["metadata"]["labels"].items()
    }
    labels = {**discovered, **ADDED, "pod": pod["metadata"]["name"]}
    return {"targets": ["10.0.0.7:9400"], "labels": labels}


def test_series_say_whose_they_are(scraped):
    first, _ = scraped
    assert {name: first[name] for name in IDENTITY} == {
        "namespace": "team",
        "job_name": "mnist",
        "role": "worker",
        "rank": "3",
    }


def test_series_of_two_pods_of_one_rank_are_told_apart(scraped):
    first, later = scraped
    assert {name for name in first if first[name] != later[name]} == {"pod"}


def test_nothing_else_of_a_pod_becomes_a_label(scraped):
    first, _ = scraped
    visible = {name for name in first if not name.startswith("__")}
    assert visible == {*IDENTITY, "pod", "job", "instance"}
