"""What a job needs and how it stands: pure decisions over frozen records, no I/O and no clock."""
