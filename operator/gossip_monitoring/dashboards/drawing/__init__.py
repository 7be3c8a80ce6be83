"""Draws dashboards from Prometheus' answers, much as Grafana shows them, for the documentation."""
