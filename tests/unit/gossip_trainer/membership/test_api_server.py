"""Against a small HTTPS server that plays the API server's part."""

import ipaddress
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gossip_trainer.errors import MembershipError
from gossip_trainer.membership import api_server as module
from gossip_trainer.membership.api_server import (
    Access,
    ApiExpired,
    ApiForbidden,
    ApiServer,
    ApiUnavailable,
    access_from_pod,
)


def certify(folder, address="127.0.0.1"):
    """Write a certificate for one address, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kubernetes")])
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "ca.crt").write_bytes(certificate.public_bytes(pem))
    (folder / "tls.key").write_bytes(secret)


class Server(ThreadingHTTPServer):
    """Answers with a status and parts of a body; None stands for a wait until the test's end."""

    daemon_threads = True

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "ca.crt", folder / "tls.key")
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.status, self.parts, self.requests = 200, [b"{}"], []
        self.over = threading.Event()

    def handle_error(self, request, client_address):
        """A client that hangs up is what some tests are about."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.requests.append((self.path, self.headers["Authorization"]))
        self.send_response(self.server.status)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in self.server.parts:
            if part is None:
                self.server.over.wait(20)
            else:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    certify(tmp_path)
    (tmp_path / "token").write_text("first\n")
    server = Server(tmp_path)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def access(server, tmp_path):
    port = server.server_address[1]
    return Access("127.0.0.1", port, tmp_path / "token", tmp_path / "ca.crt")


@pytest.fixture
def api(access):
    return ApiServer(access)


def test_a_list_is_asked_for_with_its_parameters_and_the_accounts_token(api, server):
    server.parts = [b'{"items"', b": []}"]
    assert api.get("/apis/x", labelSelector="a=b") == b'{"items": []}'
    assert server.requests == [("/apis/x?labelSelector=a%3Db", "Bearer first")]


def test_a_token_that_was_renewed_is_used_at_once(api, server, tmp_path):
    api.get("/x")
    (tmp_path / "token").write_text("second")
    api.get("/x")
    assert [token for _, token in server.requests] == ["Bearer first", "Bearer second"]


def test_a_watch_yields_lines_as_they_come_however_they_are_cut(api, server):
    server.parts = [b'{"a"', b': 1}\n{"b": 2}\n', None]
    lines = api.watch("/x", 60, resourceVersion="7")
    assert [next(lines), next(lines)] == [b'{"a": 1}\n', b'{"b": 2}\n']
    ((path, _),) = server.requests
    assert path == "/x?resourceVersion=7&watch=1&allowWatchBookmarks=1&timeoutSeconds=60"
    lines.close()


def test_a_watch_ends_when_the_server_ends_it(api, server):
    server.parts = [b"1\n", b"2\n"]
    assert list(api.watch("/x", 60)) == [b"1\n", b"2\n"]


def test_a_watch_that_is_cut_off_in_mid_line_is_no_end(api, server):
    server.parts = [b"1\n", b'{"half']
    lines = api.watch("/x", 60)
    assert next(lines) == b"1\n"
    with pytest.raises(ApiUnavailable, match="in the middle of a line"):
        next(lines)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, ApiForbidden),
        (403, ApiForbidden),
        (410, ApiExpired),
        (429, ApiUnavailable),
        (500, ApiUnavailable),
        (503, ApiUnavailable),
    ],
)
def test_a_refusal_is_named_for_what_follows_from_it(api, server, status, error):
    server.status, server.parts = status, [b'{"message": "no"}']
    with pytest.raises(error, match=rf'GET /x: {status} .*"no"'):
        api.get("/x")
    with pytest.raises(error):
        list(api.watch("/x", 60))


def test_a_server_that_says_nothing_is_given_up(api, server, monkeypatch):
    monkeypatch.setattr(module, "REQUEST_SECONDS", 0.2)
    server.parts = [None]
    with pytest.raises(ApiUnavailable, match="TimeoutError"):
        api.get("/x")


def test_a_server_that_is_not_there_is_unavailable(access, server, tmp_path):
    gone = Access("127.0.0.1", 1, access.token_file, access.ca_file)
    with pytest.raises(ApiUnavailable, match=r"127\.0\.0\.1:1: ConnectionRefusedError"):
        ApiServer(gone).get("/x")


def test_a_server_of_another_authority_is_not_trusted_with_the_token(access, server, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    certify(other)
    api = ApiServer(Access(access.host, access.port, access.token_file, other / "ca.crt"))
    with pytest.raises(ApiUnavailable, match="certificate verify failed"):
        api.get("/x")
    assert not server.requests


def test_closing_ends_a_watch_that_waits_at_once(api, server):
    server.parts = [b"1\n", None]
    lines, failed = api.watch("/x", 60), []
    next(lines)

    def wait():
        try:
            next(lines)
        except (ApiUnavailable, StopIteration) as error:
            failed.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    began = time.monotonic()
    api.close()
    thread.join(10)
    assert failed
    assert time.monotonic() - began < 2


def test_within_a_pod_everything_needed_is_found(tmp_path):
    (tmp_path / "token").write_text("t")
    (tmp_path / "ca.crt").write_text("c")
    environ = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    access = access_from_pod(environ, tmp_path)
    assert (access.host, access.port) == ("10.96.0.1", 443)


@pytest.mark.parametrize("missing", ["KUBERNETES_SERVICE_HOST", "token", "ca.crt"])
def test_a_pod_without_its_account_is_told_what_is_missing(tmp_path, missing):
    environ = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    environ.pop(missing, None)
    for file in {"token", "ca.crt"} - {missing}:
        (tmp_path / file).write_text("x")
    with pytest.raises(MembershipError, match="mount the service account's token"):
        access_from_pod(environ, tmp_path)
