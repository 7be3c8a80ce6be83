import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gossip_trainer.checkpoint import objects
from gossip_trainer.checkpoint.objects import is_bucket, open_bucket
from gossip_trainer.checkpoint.store import CheckpointStore
from gossip_trainer.errors import CheckpointError

NOTHING = b"""<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult><Name>models</Name><IsTruncated>false</IsTruncated></ListBucketResult>"""
REFUSAL = b"""<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>AccessDenied</Code><Message>Not yours</Message></Error>"""
ROOT = "s3://models/jobs"


@contextmanager
def storage(answers: list[int], monkeypatch) -> Iterator[list[str]]:
    """Serve a bucket without objects, first with these status codes; yield what was asked for.

    The code 0 leaves a request without an answer.
    """
    asked: list[str] = []
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            code = answers.pop(0) if answers else 200
            if code == 0:
                ended.wait(10)
                return
            body = NOTHING if code == 200 else REFUSAL
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield asked
        finally:
            ended.set()
            server.shutdown()
            thread.join()


def test_a_storage_that_fails_now_and_then_is_asked_again(monkeypatch):
    with storage([503, 503], monkeypatch) as asked:
        assert CheckpointStore(ROOT, "worker-0", keep=1).newest() is None
    assert len(asked) == 3


def test_one_that_goes_on_failing_is_given_up_and_named(monkeypatch):
    monkeypatch.setattr(objects, "MAX_RETRIES", 1)
    with (
        storage([503] * 10, monkeypatch) as asked,
        pytest.raises(CheckpointError, match=r"^s3://models/jobs/worker-0: cannot be read: .*503"),
    ):
        CheckpointStore(ROOT, "worker-0", keep=1).newest()
    assert len(asked) == 2


def test_one_that_does_not_answer_is_given_up_and_named(monkeypatch):
    monkeypatch.setattr(objects, "MAX_RETRIES", 0)
    monkeypatch.setattr(objects, "REQUEST_SECONDS", 0.2)
    with (
        storage([0] * 10, monkeypatch),
        pytest.raises(CheckpointError, match=r"^s3://models/jobs/worker-0: cannot be read"),
    ):
        CheckpointStore(ROOT, "worker-0", keep=1).newest()


def test_a_refusal_is_told_in_the_words_of_the_storage_and_in_one_line(monkeypatch):
    with (
        storage([403], monkeypatch) as asked,
        pytest.raises(CheckpointError, match=r"403 Forbidden: AccessDenied: Not yours$"),
    ):
        CheckpointStore(ROOT, "worker-0", keep=1).newest()
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("root", "answer"),
    [("s3://b/c", True), ("gs://b", True), ("/data/c", False), ("runs/x", False)],
)
def test_a_bucket_is_told_from_a_path_by_its_scheme(root, answer):
    assert is_bucket(root) is answer


def test_a_url_without_a_bucket_is_refused_at_once():
    with pytest.raises(CheckpointError, match=r"^s3:///folder: cannot be opened"):
        open_bucket("s3:///folder")
