import json

import pytest


def rows(result):
    return json.loads(result.stdout)["topologies"]


def test_a_row_per_graph_and_number_of_workers(gossip):
    result = gossip("topology", "--type", "Ring, Complete", "--workers", "2,8", "--format", "json")

    assert (result.exit_code, result.stderr) == (0, "")
    found = [(row["type"], row["workers"]) for row in rows(result)]
    assert found == [("Ring", 2), ("Ring", 8), ("Complete", 2), ("Complete", 8)]


def test_json_holds_the_numbers_and_what_was_asked(gossip):
    result = gossip("topology", "--type", "Complete", "--workers", 8, "--format", "json")

    (row,) = rows(result)
    assert row["contraction"] == pytest.approx(0.46875)
    assert row["spectral_gap"] == pytest.approx(1 - 0.46875**0.5)
    assert (row["exchange"], row["selection"], row["mixing_weight"]) == ("Pull", "Uniform", 0.5)
    assert row["rounds_to_consensus"] == 19
    assert row["models_per_round"] == pytest.approx(7 / 8)
    assert row["remarks"] == []
    assert "bytes_per_round" not in row


def test_the_selection_left_out_is_that_of_a_job(gossip):
    result = gossip(
        *("topology", "--type", "Complete", "--workers", 8, "--format", "json"),
        *("--exchange", "Pairwise"),
    )

    assert rows(result)[0]["selection"] == "UniformOthers"


def test_weight_and_selection_change_the_result(gossip):
    arguments = ("topology", "--type", "Complete", "--workers", 8, "--format", "json")
    (plain,) = rows(gossip(*arguments))
    (other,) = rows(gossip(*arguments, "--weight", 0.25, "--selection", "Balanced"))

    assert (other["mixing_weight"], other["selection"]) == (0.25, "Balanced")
    assert other["contraction"] == pytest.approx(0.625 - 2 * 0.25 * 0.75 / 7)
    assert other["contraction"] != plain["contraction"]


def test_the_size_of_a_model_tells_bytes(gossip):
    arguments = ("topology", "--type", "Ring", "--workers", 8, "--exchange", "PushSum")
    arguments = (*arguments, "--model-bytes", 4_000_000)

    (row,) = rows(gossip(*arguments, "--format", "json"))
    assert row["bytes_per_round"] == 8_000_000
    assert row["selection"] is None  # to all peers
    assert "8 MB" in gossip(*arguments).stdout


def test_the_table_tells_fallbacks_in_words(gossip):
    result = gossip("topology", "--type", "Torus", "--workers", "7,12")

    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    prime, grid = (line for line in lines if line.startswith("Torus"))
    assert prime.rstrip().endswith("a ring, because the number is prime")
    assert grid.rstrip().endswith("a grid of 3 x 4")
    assert "A round is one exchange of every worker" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--type", "Star"), "--type Star: Input should be 'Complete', 'Ring'"),
        (("--workers", "0"), "--workers 0: must be whole numbers above 0 and below 1000000"),
        (("--workers", "8;9"), "--workers 8;9: must be whole numbers above 0 and below 1000000"),
        (("--workers", "8,5000"), "--workers 8,5000: must be at most 512"),
        (("--weight", 1.5), "--weight 1.5: Input should be less than or equal to 1"),
        (("--weight", 0.5, "--exchange", "Push"), "--weight 0.5: is only for exchange Pull or"),
        (
            ("--type", "RandomMatching", "--selection", "Balanced"),
            "--selection Balanced: is not for topology OnePeerExponential or RandomMatching",
        ),
        (
            ("--exchange", "PushSum", "--selection", "Balanced"),
            "--selection Balanced: is for exchange PushSum only with topology Complete",
        ),
    ],
)
def test_what_cannot_be_asked_is_told_and_ends_with_exit_code_2(gossip, arguments, told):
    result = gossip("topology", "--type", "Ring", "--workers", 8, *arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: {told}")


def test_graphs_on_which_models_only_change_places_are_shown_without_consensus(gossip):
    arguments = ("topology", "--type", "Ring", "--workers", 8, "--exchange", "Pairwise")
    arguments = (*arguments, "--weight", 1)

    (row,) = rows(gossip(*arguments, "--format", "json"))
    assert (row["spectral_gap"], row["rounds_to_consensus"]) == (0.0, None)
    shown = gossip(*arguments)
    line = next(line for line in shown.stdout.splitlines() if line.startswith("Ring"))
    assert line.split() == ["Ring", "Pairwise", "UniformOthers", "8", "0", "-", "2"]


@pytest.mark.parametrize(
    ("arguments", "missing"), [(("--workers", 8), "--type"), (("--type", "Ring"), "--workers")]
)
def test_the_graph_and_the_numbers_must_be_given(gossip, arguments, missing):
    result = gossip("topology", *arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert missing in result.stderr


@pytest.mark.parametrize(
    ("option", "value"), [("--model-bytes", 0), ("--exchange", "Shout"), ("--selection", "Best")]
)
def test_values_that_an_option_does_not_take_are_refused(gossip, option, value):
    result = gossip("topology", "--type", "Ring", "--workers", 8, option, value)

    assert (result.exit_code, result.stdout) == (2, "")
    assert option in result.stderr
