import http.server
import json
import threading

import pytest

from gossip_kubectl.cluster import Connection, connect, jobs_path
from gossip_kubectl.errors import InvalidCommand, Refused, Unreachable


class Handler(http.server.BaseHTTPRequestHandler):
    """What stands where an API server should be, or before it."""

    def do_GET(self):
        match self.path:
            case "/other":
                self.answer(404, "404 page not found")
            case "/proxy":
                self.answer(502, "<html>bad gateway</html>")
            case "/forbidden":
                self.answer(403, json.dumps({"reason": "Forbidden", "message": "you may not"}))
            case "/cut":
                self.send_response(200)
                self.send_header("Content-Length", "100")
                self.end_headers()
                self.wfile.write(b"one\ntwo\nthr")
            case _:
                self.answer(200, "one\ntwo\n\nlast")

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def url():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(10)
    server.server_close()


def kubeconfig(folder, url):
    contexts = {"here": {"cluster": "c", "user": "u", "namespace": "team"}}
    contexts["there"] = {"cluster": "c", "user": "u"}
    path = folder / "kubeconfig"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": name, "context": context} for name, context in contexts.items()],
    }
    path.write_text(json.dumps(document))
    return str(path)


@pytest.fixture
def cluster(tmp_path, url):
    return connect(Connection(kubeconfig(tmp_path, url)))


@pytest.mark.parametrize(
    ("context", "namespace", "meant"),
    [
        (None, None, "team"),
        ("there", None, "default"),
        (None, "other", "other"),
        ("there", "other", "other"),
    ],
)
def test_the_namespace_is_the_one_given_else_the_contexts(tmp_path, context, namespace, meant):
    path = kubeconfig(tmp_path, "http://127.0.0.1:1")
    assert connect(Connection(path, context, namespace)).namespace == meant


def test_a_context_that_is_not_there_is_named(tmp_path):
    path = kubeconfig(tmp_path, "http://127.0.0.1:1")
    with pytest.raises(InvalidCommand, match=r"nowhere.*--context"):
        connect(Connection(path, "nowhere"))


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/forbidden", 403, "^you may not$"),
        ("/proxy", 502, "answers 502: <html>bad gateway"),
        ("/other", 404, "is the definition of GossipTrainingJob installed"),
    ],
)
def test_a_refusal_is_told_in_the_words_of_whoever_refuses(cluster, path, status, message):
    with pytest.raises(Refused, match=message) as caught:
        cluster.get(path)
    assert caught.value.status == status


def test_lines_come_one_by_one_the_last_one_too(cluster):
    assert list(cluster.lines("/log", seconds=5.0)) == ["one", "two", "", "last"]


def test_an_answer_that_is_cut_off_is_no_end(cluster):
    lines = cluster.lines("/cut", seconds=5.0)
    with pytest.raises(Unreachable):
        list(lines)


def test_a_server_that_is_away_is_not_asked_again_unasked(tmp_path):
    cluster = connect(Connection(kubeconfig(tmp_path, "http://127.0.0.1:1")))
    with pytest.raises(Unreachable, match=r"http://127.0.0.1:1 does not answer: .*refused"):
        cluster.get(jobs_path(None))
