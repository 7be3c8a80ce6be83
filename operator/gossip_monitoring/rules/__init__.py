"""Recording rules and alerts as data, from which the files for Prometheus are written."""
