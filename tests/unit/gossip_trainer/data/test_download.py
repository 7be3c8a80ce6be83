import socket
from pathlib import Path
from urllib.error import URLError

import pytest

from gossip_trainer.data.download import Resource, cache_folder, download
from gossip_trainer.errors import DataError

RESOURCES = [Resource(f"https://data.example/set/{name}", "0" * 32) for name in ("a", "b")]


def write_name(resource, folder):
    (folder / resource.name).write_text(resource.name)


def test_every_resource_ends_up_in_the_target(tmp_path):
    target = tmp_path / "new" / "folder"
    download(RESOURCES, target, fetch=write_name)
    assert {path.name: path.read_text() for path in target.iterdir()} == {"a": "a", "b": "b"}


def test_an_archive_leaves_only_what_is_unpacked_from_it(tmp_path):
    def unpack(path):
        parts = [path.with_name(f"{path.name}{number}") for number in (1, 2)]
        for part in parts:
            part.touch()
        return parts

    download(RESOURCES[:1], tmp_path, unpack=unpack, fetch=write_name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a1", "a2"]


def test_a_file_is_in_place_only_when_it_is_complete(tmp_path):
    def look(resource, folder):
        assert not (tmp_path / resource.name).exists()
        write_name(resource, folder)
        assert not (tmp_path / resource.name).exists()

    download(RESOURCES, tmp_path, fetch=look)
    assert (tmp_path / "b").exists()


@pytest.mark.parametrize(
    "error", [URLError("no route"), TimeoutError("no answer"), RuntimeError("md5")]
)
def test_a_failure_leaves_nothing_half_done_and_says_why(tmp_path, error):
    def fail(resource, folder):
        write_name(resource, folder)
        raise error

    with pytest.raises(DataError, match=rf"cannot download into {tmp_path}: .*{error.args[0]}"):
        download(RESOURCES, tmp_path, fetch=fail)
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_cannot_be_made_is_a_named_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot download into"):
        download(RESOURCES, tmp_path / "file" / "folder", fetch=write_name)


def test_sockets_have_a_deadline_while_downloading_and_only_then(tmp_path):
    deadlines = []
    before = socket.getdefaulttimeout()
    download(
        RESOURCES,
        tmp_path,
        fetch=lambda resource, folder: (
            deadlines.append(socket.getdefaulttimeout()),
            write_name(resource, folder),
        ),
    )
    assert deadlines == [30.0, 30.0]
    assert socket.getdefaulttimeout() == before


def test_the_cache_lies_where_the_user_keeps_caches(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert cache_folder("set") == Path("/caches/gossip-training/set")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder("set") == Path.home() / ".cache" / "gossip-training" / "set"
