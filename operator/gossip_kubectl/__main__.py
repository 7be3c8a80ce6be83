"""`python -m gossip_kubectl`."""

from gossip_kubectl.app import main

main()
