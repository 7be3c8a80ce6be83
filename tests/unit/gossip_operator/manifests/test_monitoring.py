"""What tells Prometheus to scrape the job."""

import re

from manifest_jobs import children_of, job, pod_of, trainer_of

from gossip_api.metrics.processes import IDENTITY

META = "__meta_kubernetes_pod_label_"


def monitor(of):
    return children_of(of)["PodMonitor"]["spec"]


def relabelings(of):
    (endpoint,) = monitor(of)["podMetricsEndpoints"]
    return endpoint["relabelings"]


def test_the_monitor_selects_the_jobs_pods_and_a_port_that_they_have():
    found, pod = monitor(job()), pod_of(job())
    assert found["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    (endpoint,) = found["podMetricsEndpoints"]
    assert endpoint["port"] in {port["name"] for port in trainer_of(pod)["ports"]}


def test_the_monitor_has_the_jobs_labels_by_which_a_prometheus_picks_it():
    labels = children_of(job(labels={"release": "prometheus", "app.kubernetes.io/name": "x"}))
    assert labels["PodMonitor"]["metadata"]["labels"]["release"] == "prometheus"
    assert labels["PodMonitor"]["metadata"]["labels"]["app.kubernetes.io/name"] == "gossip-trainer"


def test_series_get_their_identity_from_labels_that_every_pod_has():
    pod_labels = {re.sub(r"\W", "_", label) for label in pod_of(job())["metadata"]["labels"]}
    renamed = {
        one["targetLabel"]: one["sourceLabels"][0].removeprefix(META)
        for one in relabelings(job())
        if one["action"] == "replace"
    }
    assert {"namespace", *renamed} == set(IDENTITY)  # Prometheus' operator sets the namespace
    assert set(renamed.values()) <= pod_labels


def test_the_monitor_can_be_left_out():
    assert "PodMonitor" not in children_of(job(monitoring={"podMonitor": "Never"}))
