import math

import pytest

from gossip_trainer.topology.consensus import Setting, consensus, remarks


def setting(exchange="Pull", family="Complete", selection="Uniform", size=8, mixing_weight=0.5):
    return Setting(exchange, family, selection, size, mixing_weight)


def rounds(*args, **kwargs):
    return consensus(setting(*args, **kwargs)).rounds


def models(*args, **kwargs):
    return consensus(setting(*args, **kwargs)).models


def test_rounds_bring_the_distance_to_a_thousandth():
    found = consensus(setting())
    assert found.contraction**found.rounds <= 1e-6 < found.contraction ** (found.rounds - 1)


def test_the_spectral_gap_is_by_how_much_the_distance_shrinks():
    assert consensus(setting()).spectral_gap == pytest.approx(1 - math.sqrt(0.46875))


def test_the_spectral_gap_of_one_symmetric_matrix_is_the_usual_one():
    found = consensus(setting("PushSum", "Ring", "UniformOthers"))
    assert found.spectral_gap == pytest.approx(1 - 0.80474, abs=1e-5)


@pytest.mark.parametrize("exchange", ["Pull", "Push", "Pairwise", "PushSum"])
def test_one_peer_exponential_ends_after_log2_rounds(exchange):
    found = consensus(setting(exchange, "OnePeerExponential", size=16))
    assert (found.contraction, found.spectral_gap, found.rounds) == (0.0, 1.0, 4)


def test_other_weights_than_one_half_do_not_end():
    found = consensus(setting(family="OnePeerExponential", mixing_weight=0.4))
    assert found.contraction == pytest.approx(0.2 ** (2 / 3))  # the slowest mode meets 1 - 2b once


@pytest.mark.parametrize("exchange", ["Pull", "Push", "Pairwise", "PushSum"])
def test_a_matching_of_two_ends_at_once_and_of_eight_shrinks_as_known(exchange):
    assert rounds(exchange, "RandomMatching", size=2) == 1
    found = consensus(setting(exchange, "RandomMatching"))
    assert found.contraction == pytest.approx(6 / 14)


def test_pushes_do_not_know_the_mixing_weight():
    assert consensus(setting("Push", mixing_weight=0.1)) == consensus(setting("Push"))
    assert consensus(setting(mixing_weight=0.1)) != consensus(setting())


def test_peers_one_must_not_be_mix_faster_than_with_oneself():
    for exchange in ("Pull", "Push", "Pairwise", "PushSum"):
        fast, slow = (rounds(exchange, selection=each) for each in ("UniformOthers", "Uniform"))
        assert fast < slow


def test_sparser_graphs_take_more_rounds():
    families = ("Complete", "Exponential", "Torus", "Ring")
    taken = [rounds(family=family, size=64) for family in families]
    assert taken == sorted(taken)
    assert taken[-1] > 50 * taken[0]


def test_a_ring_takes_about_four_times_as_long_with_twice_as_many():
    longer = rounds(family="Ring", size=128) / rounds(family="Ring", size=64)
    assert longer == pytest.approx(4, rel=0.02)


def test_pushes_drawn_on_a_graph_have_no_formula_and_say_so():
    drawn = setting("Push", "Ring")
    found = consensus(drawn)
    assert (found.contraction, found.spectral_gap, found.rounds) == (None, None, None)
    assert any("gossip simulate" in remark for remark in remarks(drawn))


def test_one_worker_is_there_at_once_and_sends_nothing():
    for family in ("Complete", "Ring", "OnePeerExponential", "RandomMatching"):
        found = consensus(setting(family=family, size=1))
        assert (found.rounds, found.models, found.spectral_gap) == (0, 0.0, 1.0)
    assert remarks(setting(size=1)) == ("nobody to exchange with",)


def test_models_sent_per_round():
    assert models() == pytest.approx(7 / 8)  # nothing when it draws itself
    assert models(selection="UniformOthers") == 1
    assert models("Push", "Ring") == pytest.approx(2 / 3)
    assert models("Pairwise", selection="UniformOthers") == 2  # the model, and the difference back
    assert models("PushSum", selection="UniformOthers") == 1
    assert models("PushSum", "Exponential") == 3
    assert models("PushSum", "OnePeerExponential") == 1
    assert models(family="RandomMatching", size=7) == pytest.approx(6 / 7)
    assert models("PushSum", "Hypercube", size=6) == pytest.approx(14 / 6)


@pytest.mark.parametrize(
    ("family", "size", "told"),
    [
        ("Torus", 7, "a ring, because the number is prime"),
        ("Torus", 12, "a grid of 3 x 4"),
        ("Hypercube", 6, "no power of two: without the places that nobody has"),
        ("OnePeerExponential", 6, "no power of two: consensus only in the limit"),
        ("RandomMatching", 7, "odd: one worker stays out of every round"),
    ],
)
def test_fallbacks_are_told_in_words(family, size, told):
    assert remarks(setting(family=family, size=size)) == (told,)


@pytest.mark.parametrize("family", ["Hypercube", "OnePeerExponential", "RandomMatching", "Ring"])
def test_where_nothing_falls_back_nothing_is_told(family):
    assert remarks(setting(family=family, size=8)) == ()


def test_a_hypercube_with_missing_places_still_comes_to_consensus():
    found = consensus(setting(family="Hypercube", size=6))
    whole = consensus(setting(family="Hypercube"))
    assert 0 < found.contraction < 1
    assert found.rounds == pytest.approx(whole.rounds, rel=0.5)


@pytest.mark.parametrize(
    ("exchange", "family", "selection"),
    [
        ("Pull", "OnePeerExponential", "Uniform"),
        ("Pull", "RandomMatching", "Uniform"),
        ("Pull", "Complete", "Balanced"),
        ("Pull", "Ring", "UniformOthers"),
        ("Pairwise", "Ring", "UniformOthers"),
        ("Pairwise", "Complete", "UniformOthers"),
    ],
)
def test_models_that_only_change_places_never_come_to_consensus(exchange, family, selection):
    found = consensus(setting(exchange, family, selection, mixing_weight=1.0))
    assert (found.contraction, found.spectral_gap, found.rounds) == (1.0, 0.0, None)


def test_a_worker_that_takes_the_whole_model_of_one_drawn_still_comes_to_consensus():
    """The models that are left become fewer: S shrinks by 1 - 1/n."""
    found = consensus(setting(mixing_weight=1.0))
    assert found.contraction == pytest.approx(7 / 8)
