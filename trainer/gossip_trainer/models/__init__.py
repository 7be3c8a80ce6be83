"""Built-in models and the way to a user's own. Knows nothing about flat vectors or training."""
