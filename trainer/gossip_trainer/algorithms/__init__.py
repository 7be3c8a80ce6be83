"""Algorithms as state machines without I/O: what to send, to whom, what to do with what arrived."""
