"""Smaller vectors for exchanges: what is sent, and what of a snapshot is read. Pure."""
