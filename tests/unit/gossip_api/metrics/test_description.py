import pytest

from gossip_api.metrics.description import describe
from gossip_api.strategy import Strategy


@pytest.mark.parametrize(
    ("strategy", "exchange", "topology"),
    [
        ({"type": "Gossip"}, "Pull", "Complete"),
        ({"type": "Gossip", "gossip": {"exchange": "PushSum"}}, "PushSum", "Complete"),
        ({"type": "AllReduce"}, "", ""),
        ({"type": "LocalSGD"}, "AllReduce", ""),
        ({"type": "LocalSGD", "localSGD": {"averaging": "Gossip"}}, "Gossip", ""),
    ],
)
def test_a_strategy_is_described_by_what_it_has(strategy, exchange, topology):
    assert describe(Strategy.model_validate(strategy)) == {
        "strategy": strategy["type"],
        "exchange": exchange,
        "topology": topology,
    }
