"""What watches the product: alerts, recording rules and dashboards, made from the metrics as data.

Used when the repository is built; no part of the wheel.
"""
