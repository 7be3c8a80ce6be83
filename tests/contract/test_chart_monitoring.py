"""What the chart brings for Prometheus and Grafana."""

import json
from pathlib import Path

import pytest
import yaml
from charts import CI, RELEASE, HelmError, render, the


def test_a_monitor_without_the_service_it_scrapes_is_refused():
    with pytest.raises(HelmError, match=r"metrics\.enabled, which is off; set it to true"):
        render("--set", "metrics.enabled=false", "--set", "metrics.serviceMonitor.enabled=true")


def test_the_monitor_selects_the_service_and_the_service_the_pods():
    objects = render(values=CI / "monitoring-values.yaml")
    monitor, service = the(objects, "ServiceMonitor"), the(objects, "Service")
    template = the(objects, "Deployment")["spec"]["template"]

    selected = monitor["spec"]["selector"]["matchLabels"]
    assert selected.items() <= service["metadata"]["labels"].items()
    assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    [endpoint] = monitor["spec"]["endpoints"]
    assert endpoint["port"] == service["spec"]["ports"][0]["name"]


def test_the_operator_is_scraped_as_with_the_manifests():
    file = Path("manifests/monitoring/service-monitor.yaml")
    [expected] = yaml.safe_load(file.read_text())["spec"]["endpoints"]
    [found] = the(render(values=CI / "monitoring-values.yaml"), "ServiceMonitor")["spec"][
        "endpoints"
    ]

    assert found == expected | {"interval": "30s", "scrapeTimeout": "10s"}


def test_the_rules_of_the_manifests_are_there_to_the_letter():
    objects = render(values=CI / "monitoring-values.yaml")
    files = list(Path("manifests/monitoring/rules").glob("*.yaml"))
    assert files
    for file in files:
        rule = the(objects, "PrometheusRule", f"{RELEASE}-{file.stem}")
        assert rule["spec"] == yaml.safe_load(file.read_text())
        assert rule["metadata"]["labels"]["release"] == "prometheus"


def test_alerts_link_to_where_the_documents_are_read():
    options = ("--set", "metrics.prometheusRule.documents=https://wiki.example/gossip/")
    objects = render(*options, values=CI / "monitoring-values.yaml")
    groups = the(objects, "PrometheusRule", f"{RELEASE}-operator")["spec"]["groups"]
    links = {rule["annotations"]["runbook_url"] for group in groups for rule in group["rules"]}
    assert all(link.startswith("https://wiki.example/gossip/runbooks/") for link in links)


def test_the_dashboards_of_the_manifests_are_there_to_the_letter():
    objects = render(values=CI / "monitoring-values.yaml")
    files = list(Path("manifests/monitoring/dashboards").glob("*.json"))
    assert files
    for file in files:
        found = the(objects, "ConfigMap", f"{RELEASE}-dashboard-{file.stem}")
        assert json.loads(found["data"][file.name]) == json.loads(file.read_text())
        assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert found["metadata"]["annotations"] == {"grafana_folder": "Training"}
