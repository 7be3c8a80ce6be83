"""Images: which part of one is shown, and how it gets from a file to pixels."""
