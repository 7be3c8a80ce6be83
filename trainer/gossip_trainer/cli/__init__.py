"""The command line, `gossip`."""
