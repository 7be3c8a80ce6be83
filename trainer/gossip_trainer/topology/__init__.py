"""Graphs of workers, by place in the order of the live ranks, and how fast they mix."""
