"""Who may exchange with whom."""

import pytest
from pydantic import ValidationError

from gossip_api.topology import POWER_OF_TWO, Topology


def test_everybody_exchanges_with_everybody_by_default():
    assert Topology().type == "Complete"


@pytest.mark.parametrize("family", POWER_OF_TWO)
def test_a_graph_made_for_a_power_of_two_takes_other_numbers_unless_forbidden(family):
    assert Topology(type=family).fallback
    assert not Topology(type=family, fallback=False).fallback


@pytest.mark.parametrize("family", ["Complete", "Ring", "Torus", "Exponential", "RandomMatching"])
def test_other_graphs_have_nothing_to_fall_back_from(family):
    with pytest.raises(ValidationError, match="is only for type Hypercube or OnePeerExponential"):
        Topology(type=family, fallback=False)
    assert Topology(type=family).model_dump() == {"type": family}


def test_an_unknown_graph_is_refused():
    with pytest.raises(ValidationError):
        Topology.model_validate({"type": "Star"})
