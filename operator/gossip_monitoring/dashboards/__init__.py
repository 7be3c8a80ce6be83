"""Grafana's dashboards as data, from which the files are written that Grafana imports."""
