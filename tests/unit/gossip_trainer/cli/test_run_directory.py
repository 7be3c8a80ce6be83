from pathlib import Path

import pytest

from gossip_trainer.cli.errors import InvalidCommand
from gossip_trainer.cli.run_directory import choose_run_directory


def occupied(path: str) -> Path:
    directory = Path(path)
    directory.mkdir(parents=True)
    (directory / "events.jsonl").touch()
    return directory


def test_a_run_is_named_after_its_job():
    assert choose_run_directory(None, "digits") == Path("runs/digits")


def test_a_name_that_is_taken_gets_the_next_free_number():
    occupied("runs/digits")
    occupied("runs/digits-2")

    assert choose_run_directory(None, "digits") == Path("runs/digits-3")


def test_an_empty_directory_is_free():
    Path("runs/digits").mkdir(parents=True)

    assert choose_run_directory(None, "digits") == Path("runs/digits")


def test_a_directory_that_is_asked_for_is_taken_if_absent_or_empty():
    Path("empty").mkdir()

    assert choose_run_directory(Path("empty"), "digits") == Path("empty")
    assert choose_run_directory(Path("new/deep"), "digits") == Path("new/deep")


@pytest.mark.parametrize("kind", ["directory", "file"])
def test_what_is_there_is_never_written_over(kind):
    path = occupied("mine") if kind == "directory" else occupied("mine") / "events.jsonl"

    with pytest.raises(InvalidCommand, match="name another one, remove it, or leave --out away"):
        choose_run_directory(path, "digits")
