"""Downloads through torchvision, from a server on this machine."""

import hashlib
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from gossip_trainer.data.download import Resource, download
from gossip_trainer.errors import DataError

CONTENT = b"content"


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "file").write_bytes(CONTENT)
    handler = partial(QuietHandler, directory=str(tmp_path / "served"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join(timeout=10)


def test_a_file_with_the_stated_md5_is_kept(server, tmp_path):
    md5 = hashlib.md5(CONTENT).hexdigest()
    download([Resource(f"{server}/file", md5)], tmp_path / "target")
    assert (tmp_path / "target" / "file").read_bytes() == CONTENT


def test_a_file_with_another_md5_is_refused(server, tmp_path):
    with pytest.raises(DataError, match="corrupted"):
        download([Resource(f"{server}/file", "0" * 32)], tmp_path / "target")
    assert list((tmp_path / "target").iterdir()) == []


def test_a_file_that_the_server_does_not_have_is_refused_with_its_answer(server, tmp_path):
    with pytest.raises(DataError, match="404"):
        download([Resource(f"{server}/absent", "0" * 32)], tmp_path / "target")


def test_a_server_that_is_not_there_is_a_named_error(tmp_path):
    with pytest.raises(DataError, match="cannot download into"):
        download([Resource("http://127.0.0.1:9/file", "0" * 32)], tmp_path / "target")
