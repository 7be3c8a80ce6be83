"""One worker's training: the loop, the step boundary and the exchange with peers."""
