"""The contract between job file, operator and trainer. Knows neither torch nor kopf."""
