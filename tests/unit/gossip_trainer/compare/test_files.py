import csv
import json
import math

import pytest

from gossip_trainer.compare.files import as_json, write_tables


@pytest.fixture
def mixed(report):
    """A report with a target reached, one not reached and a failure."""

    def seconds(strategy, workers, seed, rate):
        if strategy == "pull-gossip" and workers == 4:
            return "no memory" if seed == 0 else math.inf
        return 10.0 + seed + rate

    return report(seconds, learning_rates=(0.1, 0.2))


def rows(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_there_is_a_row_for_every_cell(mixed, tmp_path):
    write_tables(mixed, tmp_path)
    found = rows(tmp_path / "results.csv")
    assert len(found) == 2 * 2 * 2 * 3
    first = found[0]
    assert (first["strategy"], first["workers"], first["seed"]) == ("all-reduce", "4", "5")
    assert float(first["seconds_to_target"]) == pytest.approx(10.1)
    assert float(first["received_bytes_to_target"]) == pytest.approx(10100)
    assert first["outcome"] == "reached"


def test_cells_that_reached_nothing_or_failed_say_so(mixed, tmp_path):
    write_tables(mixed, tmp_path)
    pull = [each for each in rows(tmp_path / "results.csv") if each["strategy"] == "pull-gossip"]
    assert (pull[0]["outcome"], pull[0]["error"]) == ("failed", "no memory")
    assert (pull[1]["outcome"], pull[1]["seconds_to_target"]) == ("not reached", "")
    assert float(pull[1]["final_seconds"]) == 100.0


def test_there_is_a_summary_row_for_every_strategy_and_size_at_its_best_rate(mixed, tmp_path):
    write_tables(mixed, tmp_path)
    found = rows(tmp_path / "summary.csv")
    assert [(row["strategy"], row["workers"], row["reached"]) for row in found] == [
        ("all-reduce", "4", "3"),
        ("pull-gossip", "4", "0"),
        ("all-reduce", "16", "3"),
        ("pull-gossip", "16", "3"),
    ]
    assert float(found[0]["seconds_mean"]) == pytest.approx(11.1)
    low, high = (float(found[0][f"seconds_{end}"]) for end in ("low", "high"))
    assert (low + high) / 2 == pytest.approx(11.1)
    assert found[1]["seconds_mean"] == ""
    assert found[0]["learning_rate_edge"] == "lowest"


def test_the_document_holds_all_rates_the_best_and_the_verdict(mixed):
    document = json.loads(as_json(mixed))
    assert document["target"] == {"metric": "accuracy", "value": 0.8}
    assert len(document["cells"]) == 24
    assert len(document["standings"]) == 8
    assert len(document["best"]) == 4
    assert [verdict["first"] for verdict in document["verdicts"]] == ["all-reduce", "all-reduce"]
    assert document["verdicts"][0]["gaps"][0] == {
        "strategy": "pull-gossip",
        "seconds_later": None,
        "ratio": None,
        "certain": False,
    }
    assert document["words"]
