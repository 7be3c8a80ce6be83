"""Moving one worker's newest published snapshot to a peer, over TCP sockets in threads."""
