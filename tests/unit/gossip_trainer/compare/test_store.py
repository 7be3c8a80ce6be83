import pytest

from gossip_trainer.compare.errors import InvalidComparison
from gossip_trainer.compare.store import CELLS, Store


def test_what_is_kept_is_found_again(scratch, found):
    store = Store(scratch)
    findings = [found("a", 1.0), found("b", 2.0)]
    for finding in findings:
        store.keep(finding)
    assert store.found == Store(scratch).found == {each.key: each for each in findings}


def test_a_finding_is_on_the_disk_at_once(scratch, found):
    Store(scratch).keep(found("a", 1.0))
    assert (scratch / CELLS).read_bytes().endswith(b"}\n")


@pytest.mark.parametrize("cut", [1, 30])
def test_a_line_whose_writer_was_killed_is_dropped_and_spoils_no_other(scratch, found, cut):
    store = Store(scratch)
    store.keep(found("a", 1.0))
    store.keep(found("b", 2.0))
    content = (scratch / CELLS).read_bytes()
    (scratch / CELLS).write_bytes(content[:-cut])

    again = Store(scratch)
    assert list(again.found) == ["a"]
    again.keep(found("c", 3.0))
    assert list(Store(scratch).found) == ["a", "c"]


def test_a_line_that_is_no_finding_is_refused_with_its_place(scratch, found):
    Store(scratch).keep(found("a", 1.0))
    with (scratch / CELLS).open("ab") as file:
        file.write(b'{"key": 3}\n')
    with pytest.raises(InvalidComparison, match=r"cells\.jsonl:2: is no finding of a cell"):
        Store(scratch)


def test_a_directory_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InvalidComparison, match=r"--out .*file: .*; name a folder you can write"):
        Store(tmp_path / "file")
