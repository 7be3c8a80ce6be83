"""What a run leaves to read: its history, the summary, the curves and the tables."""
