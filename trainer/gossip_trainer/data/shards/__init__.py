"""Data that lies in a few large files, its shards: their names, and reading them in sequence."""
