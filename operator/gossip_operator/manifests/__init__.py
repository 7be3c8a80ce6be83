"""Kubernetes objects of a job as plain dictionaries: pure functions of the job."""
