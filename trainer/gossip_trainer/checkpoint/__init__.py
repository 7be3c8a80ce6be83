"""What a process saves of itself: written whole or not at all, and verified when it is read."""
