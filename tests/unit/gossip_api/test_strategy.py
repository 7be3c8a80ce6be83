"""The strategy's member form: a type, and settings under the type's name."""

import pytest
from pydantic import ValidationError

from gossip_api.strategy import AllReduceSettings, GossipSettings, Strategy


def test_the_chosen_member_is_filled_with_defaults():
    strategy = Strategy(type="Gossip")
    assert strategy.gossip == GossipSettings()
    assert strategy.all_reduce is None
    assert Strategy(type="AllReduce").all_reduce == AllReduceSettings()


def test_settings_are_those_of_the_chosen_type():
    assert Strategy.model_validate({"type": "Gossip", "gossip": {"period": 3}}).settings == (
        GossipSettings(period=3)
    )
    assert Strategy(type="AllReduce").settings == AllReduceSettings()


def test_gossip_mixes_half_of_a_peer_after_every_step_without_waiting_by_default():
    settings = GossipSettings()
    assert (settings.exchange, settings.period, settings.mixing_weight) == ("Pull", 1, 0.5)
    assert settings.overlap
    assert settings.topology.type == "Complete"


@pytest.mark.parametrize(("kind", "member"), [("Gossip", "allReduce"), ("AllReduce", "gossip")])
def test_settings_of_another_type_are_refused(kind, member):
    with pytest.raises(ValidationError, match=f"{member}: is only for type"):
        Strategy.model_validate({"type": kind, member: {}})


@pytest.mark.parametrize(
    "settings",
    [
        {"period": 0},
        {"mixingWeight": 0},
        {"mixingWeight": 1.1},
        {"exchange": "Push"},
        {"overlap": 1},
    ],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ValidationError):
        Strategy.model_validate({"type": "Gossip", "gossip": settings})
