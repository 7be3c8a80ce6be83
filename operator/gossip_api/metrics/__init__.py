"""Every metric of the product as data: what the processes of jobs and the operator expose.

The exporters, docs/metrics.md, the dashboards and the alerts are made from these records.
"""
