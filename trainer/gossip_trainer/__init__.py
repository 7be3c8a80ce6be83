"""The runtime: trains one model on workers that exchange it with their peers."""
