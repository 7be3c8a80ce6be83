from pathlib import Path

import pytest

from gossip_trainer.data.shards.names import expand_ranges, find_shards
from gossip_trainer.errors import DataError


def expand(pattern):
    return list(expand_ranges(pattern, "place"))


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a.tar", ["a.tar"]),
        ("a-{8..11}.tar", ["a-8.tar", "a-9.tar", "a-10.tar", "a-11.tar"]),
        ("a-{008..010}.tar", ["a-008.tar", "a-009.tar", "a-010.tar"]),
        ("{0..1}/{5..6}", ["0/5", "0/6", "1/5", "1/6"]),
        ("a-{7..7}", ["a-7"]),
        ("a-{x..y}", ["a-{x..y}"]),
    ],
)
def test_a_range_counts_with_the_leading_zeros_of_its_first_number(pattern, names):
    assert expand(pattern) == names


@pytest.mark.parametrize("pattern", ["{3..1}", "{0..1000000}"])
def test_a_range_that_runs_backwards_or_too_far_is_refused(pattern):
    with pytest.raises(DataError, match=r"^place: \{\d+\.\.\d+\} in .* must run from a smaller"):
        expand(pattern)


@pytest.fixture
def folder(tmp_path):
    for name in ("b.txt", "a.txt", "c.md", "deep/d.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("b.txt", ["b.txt"]),
        ("*.txt", ["a.txt", "b.txt"]),
        ("**/*.txt", ["a.txt", "b.txt", "deep/d.txt"]),
        (["c.md", "[ab].txt"], ["c.md", "a.txt", "b.txt"]),
    ],
)
def test_files_are_found_in_the_order_they_are_named_and_matches_by_name(folder, value, names):
    assert find_shards("train", value, folder) == tuple(folder / name for name in names)
    absolute = [str(folder / name) for name in ([value] if isinstance(value, str) else value)]
    assert find_shards("train", absolute, Path("elsewhere")) == tuple(folder / n for n in names)


def test_relative_paths_start_from_the_current_folder_where_no_root_is_given(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert find_shards("train", "*.md", None) == (Path("c.md"),)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("x.txt", r"args\.train: .*/x\.txt is not there or is no file"),
        ("deep", r"args\.train: .*/deep is not there or is no file"),
        ("*.tar", r"args\.train: no file matches .*/\*\.tar"),
        (["a.txt", "{1..2}.txt"], r"/1\.txt is not there"),
        ([], r"args\.train: got \[\], expected a path or a list of paths"),
        (3, r"got 3, expected a path"),
        ([""], r"got \[''\], expected a path"),
    ],
)
def test_what_is_not_there_is_named(folder, value, message):
    with pytest.raises(DataError, match=message):
        find_shards("train", value, folder)
