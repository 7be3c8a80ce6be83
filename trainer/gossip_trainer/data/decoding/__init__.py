"""Turning stored examples into batches, in processes beside the training."""
