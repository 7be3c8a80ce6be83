"""The strategy's member form: a type, and settings under the type's name."""

import itertools
from datetime import timedelta

import pytest
from pydantic import ValidationError

from gossip_api.strategy import (
    AllReduceSettings,
    ElasticAveragingSettings,
    GossipSettings,
    LocalSGDSettings,
    ParameterServerSettings,
    Strategy,
)

SETTINGS = {
    "Gossip": ("gossip", GossipSettings()),
    "ElasticAveraging": ("elasticAveraging", ElasticAveragingSettings()),
    "ParameterServer": ("parameterServer", ParameterServerSettings()),
    "AllReduce": ("allReduce", AllReduceSettings()),
    "LocalSGD": ("localSGD", LocalSGDSettings()),
}


def strategy(kind, **settings):
    return Strategy.model_validate({"type": kind, SETTINGS[kind][0]: settings})


def gossip(**settings):
    return strategy("Gossip", **settings).gossip


@pytest.mark.parametrize("kind", SETTINGS)
def test_the_chosen_member_and_no_other_is_filled_with_defaults(kind):
    filled = Strategy.model_validate({"type": kind})
    member, settings = SETTINGS[kind]
    assert filled.settings == settings
    written = filled.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert written.keys() == {"type", member}
    assert Strategy.model_validate({"type": kind, member: None}) == filled


def test_settings_are_those_of_the_chosen_type():
    assert strategy("Gossip", period=3).settings == GossipSettings(period=3)
    assert strategy("LocalSGD", period=3).settings == LocalSGDSettings(period=3)


def test_gossip_mixes_half_of_a_peer_after_every_step_without_waiting_by_default():
    settings = GossipSettings()
    assert (settings.exchange, settings.period, settings.mixing_weight) == ("Pull", 1, 0.5)
    assert settings.overlap
    assert settings.topology.type == "Complete"


@pytest.mark.parametrize(("kind", "other"), list(itertools.permutations(SETTINGS, 2)))
def test_settings_of_another_type_are_refused(kind, other):
    member, _ = SETTINGS[other]
    with pytest.raises(ValidationError, match=f"{member}: is only for type {other}"):
        Strategy.model_validate({"type": kind, member: {}})


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("Gossip", {"period": 0}),
        ("Gossip", {"period": True}),
        ("Gossip", {"mixingWeight": 0}),
        ("Gossip", {"mixingWeight": 1.1}),
        ("Gossip", {"exchange": "pull"}),
        ("Gossip", {"overlap": 1}),
        ("Gossip", {"selection": "Random"}),
        ("Gossip", {"topology": "Ring"}),
        ("ElasticAveraging", {"period": 0}),
        ("ElasticAveraging", {"movingRate": 0}),
        ("ElasticAveraging", {"movingRate": 1.5}),
        ("ParameterServer", {"maxStaleness": -1}),
        ("AllReduce", {"backend": "nccl2"}),
        ("LocalSGD", {"period": 0}),
        ("LocalSGD", {"outer": {"learningRate": 0}}),
        ("LocalSGD", {"outer": {"momentum": 1}}),
        ("LocalSGD", {"averaging": "Gossip", "partnerDeadline": "0s"}),
    ],
)
def test_settings_out_of_range_are_refused(kind, settings):
    with pytest.raises(ValidationError):
        strategy(kind, **settings)


@pytest.mark.parametrize(
    ("exchange", "chosen"),
    [
        ("Pull", "Uniform"),
        ("Push", "Uniform"),
        ("Pairwise", "UniformOthers"),
        ("PushSum", "UniformOthers"),
    ],
)
def test_who_is_chosen_goes_with_the_exchange_unless_it_is_said(exchange, chosen):
    assert gossip(exchange=exchange).chosen_selection == chosen
    assert gossip(exchange=exchange, selection="Balanced").chosen_selection == "Balanced"


@pytest.mark.parametrize("exchange", ["Push", "PushSum"])
def test_a_mixing_weight_is_only_for_exchanges_that_have_one(exchange):
    with pytest.raises(
        ValidationError, match="mixingWeight: is only for exchange Pull or Pairwise"
    ):
        gossip(exchange=exchange, mixingWeight=0.5)
    assert "mixingWeight" not in gossip(exchange=exchange).model_dump(by_alias=True)


@pytest.mark.parametrize("family", ["OnePeerExponential", "RandomMatching"])
def test_a_selection_is_refused_where_the_topology_leaves_no_choice(family):
    with pytest.raises(ValidationError, match=r"selection: .* leaves no choice; remove it"):
        gossip(topology={"type": family}, selection="Uniform")
    assert gossip(topology={"type": family}).selection is None


def test_push_sum_selects_only_among_all():
    with pytest.raises(ValidationError, match="PushSum only with topology Complete"):
        gossip(exchange="PushSum", topology={"type": "Ring"}, selection="Uniform")
    assert gossip(exchange="PushSum", selection="Balanced").selection == "Balanced"
    assert gossip(exchange="Pull", topology={"type": "Ring"}, selection="Uniform")


@pytest.mark.parametrize(
    ("averaging", "momentum"), [("AllReduce", 0.9), ("Gossip", 0.5)], ids=["DiLoCo", "NoLoCo"]
)
def test_the_outer_momentum_goes_with_the_averaging_unless_it_is_said(averaging, momentum):
    assert strategy("LocalSGD", averaging=averaging).settings.outer_momentum == momentum
    said = strategy("LocalSGD", averaging=averaging, outer={"momentum": 0})
    assert said.settings.outer_momentum == 0


def test_outer_steps_of_pairs_are_defined_with_heavy_ball_momentum():
    with pytest.raises(ValidationError, match=r"outer\.optimizer: must be HeavyBall"):
        strategy("LocalSGD", averaging="Gossip", outer={"optimizer": "Nesterov"})
    for averaging in ("AllReduce", "Gossip"):
        assert strategy("LocalSGD", averaging=averaging, outer={"optimizer": "HeavyBall"})


def test_only_pairs_wait_for_a_partner():
    with pytest.raises(ValidationError, match="partnerDeadline: is only for averaging Gossip"):
        strategy("LocalSGD", partnerDeadline="60s")
    assert strategy("LocalSGD", averaging="Gossip").settings.partner_deadline == timedelta(0, 60)


@pytest.mark.parametrize(
    ("kind", "settings", "server", "collective"),
    [
        ("Gossip", {}, False, False),
        ("ElasticAveraging", {}, True, False),
        ("ParameterServer", {}, True, False),
        ("AllReduce", {}, False, True),
        ("LocalSGD", {}, False, True),
        ("LocalSGD", {"averaging": "Gossip"}, False, False),
    ],
)
def test_a_strategy_says_whether_it_needs_servers_or_everybody(kind, settings, server, collective):
    chosen = strategy(kind, **settings)
    assert (chosen.uses_server, chosen.uses_collective) == (server, collective)
