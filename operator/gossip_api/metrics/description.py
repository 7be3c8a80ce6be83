"""What series that describe a job say of its strategy."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gossip_api.strategy import Strategy


def describe(strategy: Strategy) -> dict[str, str]:
    """Return the labels `strategy`, `exchange` and `topology`; empty where there is no such thing.

    The exchange of local SGD is how it averages: AllReduce or Gossip.
    """
    exchange = topology = ""
    if strategy.gossip is not None:
        exchange, topology = strategy.gossip.exchange, strategy.gossip.topology.type
    elif strategy.local_sgd is not None:
        exchange = strategy.local_sgd.averaging
    return {"strategy": strategy.type, "exchange": exchange, "topology": topology}
