"""What tells Prometheus to scrape the job."""

from manifest_jobs import children_of, job, pod_of, trainer_of


def test_the_monitor_selects_the_jobs_pods_and_a_port_that_they_have():
    monitor = children_of(job())["PodMonitor"]["spec"]
    pod = pod_of(job())
    assert monitor["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    (endpoint,) = monitor["podMetricsEndpoints"]
    assert endpoint["port"] in {port["name"] for port in trainer_of(pod)["ports"]}
    assert set(monitor["podTargetLabels"]) <= set(pod["metadata"]["labels"])


def test_the_monitor_has_the_jobs_labels_by_which_a_prometheus_picks_it():
    labels = children_of(job(labels={"release": "prometheus", "app.kubernetes.io/name": "x"}))
    assert labels["PodMonitor"]["metadata"]["labels"]["release"] == "prometheus"
    assert labels["PodMonitor"]["metadata"]["labels"]["app.kubernetes.io/name"] == "gossip-trainer"
