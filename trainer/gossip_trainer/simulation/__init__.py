"""Virtual time, real mathematics: a job with more workers than the machine has."""
