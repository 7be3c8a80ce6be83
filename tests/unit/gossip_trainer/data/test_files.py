import gzip

import pytest

from gossip_trainer.data.files import find_files, locate, open_data, read_exactly_into
from gossip_trainer.errors import DataError

NAMES = ("one", "two")


def test_files_are_found_plain_or_compressed(tmp_path):
    (tmp_path / "one").touch()
    (tmp_path / "two.gz").touch()
    assert find_files(NAMES, [tmp_path]) == {"one": tmp_path / "one", "two": tmp_path / "two.gz"}


def test_files_of_one_set_are_never_taken_from_two_folders(tmp_path):
    for folder, names in (("a", ["one"]), ("b", ["one", "two"])):
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).touch()
    found = find_files(NAMES, [tmp_path / "a", tmp_path / "b", tmp_path / "absent"])
    assert found == {name: tmp_path / "b" / name for name in NAMES}
    assert find_files(NAMES, [tmp_path / "a"]) is None


@pytest.mark.parametrize("name", ["data", "data.gz"])
def test_gzip_is_recognised_by_content_not_by_name(tmp_path, name):
    (tmp_path / name).write_bytes(gzip.compress(b"content"))
    with open_data(tmp_path / name) as (stream, _):
        assert stream.read() == b"content"


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_the_stated_limit_is_never_below_the_content(tmp_path, compress):
    content = bytes(1_000_000)
    (tmp_path / "zeros").write_bytes(compress(content))
    with open_data(tmp_path / "zeros") as (_, max_bytes):
        assert len(content) <= max_bytes < 2 * len(content)


@pytest.mark.parametrize("end", [5, 20, -9, -1])
def test_a_compressed_file_that_is_cut_off_is_named(tmp_path, end):
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(bytes(range(256)))[:end])
    with (
        pytest.raises(DataError, match=r"cut\.gz: the file is cut off"),
        open_data(path) as (
            stream,
            _,
        ),
    ):
        stream.read()


@pytest.mark.parametrize("place", [12, -6])  # within the content, within the checksum
def test_a_damaged_compressed_file_is_named(tmp_path, place):
    content = bytearray(gzip.compress(bytes(range(256))))
    content[place] ^= 0xFF
    path = tmp_path / "bad.gz"
    path.write_bytes(content)
    with (
        pytest.raises(DataError, match=r"bad\.gz: damaged gzip data"),
        open_data(path) as (
            stream,
            _,
        ),
    ):
        stream.read()


def test_a_file_that_cannot_be_opened_is_named(tmp_path):
    with pytest.raises(DataError, match=f"{tmp_path}: cannot be read"), open_data(tmp_path):
        pass


def test_reading_exactly_accepts_neither_less_nor_more(tmp_path):
    path = tmp_path / "four"
    path.write_bytes(b"1234")

    def read(num_bytes: int) -> bytes:
        target = bytearray(num_bytes)
        with open_data(path) as (stream, _):
            read_exactly_into(stream, memoryview(target), path)
        return bytes(target)

    assert read(4) == b"1234"
    with pytest.raises(DataError, match="announces 5 bytes of data, found 4"):
        read(5)
    with pytest.raises(DataError, match="more than the 3 bytes"):
        read(3)


def refuse():
    raise DataError("no network")


def test_nothing_is_fetched_if_a_usual_folder_has_the_files(tmp_path):
    (tmp_path / "one").touch()
    paths = locate("set", ["one"], given=[], usual=[tmp_path], fetch=refuse, advice="ask")
    assert paths == {"one": tmp_path / "one"}


def test_what_is_nowhere_is_fetched(tmp_path):
    def fetch():
        (tmp_path / "one").touch()
        return tmp_path

    paths = locate("set", ["one"], given=[], usual=[], fetch=fetch, advice="ask")
    assert paths == {"one": tmp_path / "one"}


def test_a_folder_that_the_job_names_is_the_only_one_tried(tmp_path):
    (tmp_path / "one").touch()
    given = tmp_path / "given"
    with pytest.raises(DataError) as caught:
        locate("set", NAMES, given=[given], usual=[tmp_path], fetch=refuse, advice="ask Bob")
    assert str(caught.value) == (
        f"set: not all of one, two (each plain or .gz) are in one of the folders {given}; "
        "correct spec.training.data.root, or remove it: ask Bob"
    )


def test_files_that_are_nowhere_give_an_error_with_places_reason_and_advice(tmp_path):
    with pytest.raises(DataError) as caught:
        locate("set", NAMES, given=[], usual=[tmp_path], fetch=refuse, advice="ask Bob")
    assert str(caught.value) == (
        f"set: not all of one, two (each plain or .gz) are in one of the folders {tmp_path}; "
        "no network; ask Bob"
    )
