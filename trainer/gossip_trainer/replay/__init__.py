"""Doing a traced run again, to the bit."""
