"""Measuring what the simulator assumes: how long a step computes, and what a link carries."""
