"""Mutual TLS: who gets in, who does not, and what is said about broken files."""

import ssl
import time

import pytest

from gossip_trainer.transport.errors import CredentialsError, TransportError
from gossip_trainer.transport.security import load_credentials

JOB = "spiffe://gossip.training/ns/default/job/1"
OTHER_JOB = "spiffe://gossip.training/ns/default/job/2"


@pytest.fixture
def credentials(authority, tmp_path):
    return load_credentials(authority.issue(tmp_path / "own", JOB))


def test_a_pull_within_mutual_tls_brings_the_snapshot(world, published, into, credentials):
    server = world.serve(published, tls=credentials)
    client = world.client(tls=credentials)
    for _ in range(2):
        assert client.pull(server.address, into, expect="worker-0-0") == published.header
    assert into == published.memory


def test_members_with_certificates_of_their_own_find_each_other(
    world, published, into, credentials, authority, tmp_path
):
    server = world.serve(published, tls=credentials)
    other = load_credentials(authority.issue(tmp_path / "other", JOB))
    world.client(tls=other).pull(server.address, into)
    assert into == published.memory


def refusal(world, published, into, *, server_tls, client_tls):
    server = world.serve(published, tls=server_tls)
    began = time.monotonic()
    with pytest.raises(TransportError) as error:
        world.client(tls=client_tls).pull(server.address, into)
    assert time.monotonic() - began < 2
    assert published.num_pins == 0
    return str(error.value)


def test_a_certificate_of_another_authority_is_refused(
    world, published, into, credentials, other_authority, tmp_path
):
    stranger = load_credentials(other_authority.issue(tmp_path / "stranger", JOB))
    text = refusal(world, published, into, server_tls=credentials, client_tls=stranger)
    assert "is not accepted" in text


def test_a_server_refuses_a_client_of_another_authority(
    world, published, into, credentials, other_authority, tmp_path
):
    stranger = load_credentials(other_authority.issue(tmp_path / "stranger", JOB))
    stranger.client.verify_mode = ssl.CERT_NONE
    refusal(world, published, into, server_tls=credentials, client_tls=stranger)


def test_a_server_refuses_a_client_without_certificate(world, published, into, credentials):
    anonymous = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anonymous.check_hostname = False
    anonymous.verify_mode = ssl.CERT_NONE
    server = world.serve(published, tls=credentials)
    with (
        anonymous.wrap_socket(world.connect(server)) as sock,
        pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"),
    ):
        sock.recv(1)


def test_a_certificate_of_another_job_is_refused_naming_both(
    world, published, into, credentials, authority, tmp_path
):
    other = load_credentials(authority.issue(tmp_path / "other", OTHER_JOB))
    text = refusal(world, published, into, server_tls=credentials, client_tls=other)
    assert JOB in text
    assert OTHER_JOB in text


def test_a_client_in_the_clear_is_refused_by_a_server_with_tls(world, published, into, credentials):
    refusal(world, published, into, server_tls=credentials, client_tls=None)


def test_a_client_with_tls_is_refused_by_a_server_in_the_clear(world, published, into, credentials):
    refusal(world, published, into, server_tls=None, client_tls=credentials)


def test_nothing_older_than_tls_1_3_is_spoken(credentials):
    contexts = (credentials.client, credentials.server)
    assert {context.minimum_version for context in contexts} == {ssl.TLSVersion.TLSv1_3}


@pytest.mark.parametrize("name", ["tls.crt", "tls.key", "ca.crt"])
def test_a_missing_file_is_named(authority, tmp_path, name):
    folder = authority.issue(tmp_path / "own", JOB)
    (folder / name).unlink()
    with pytest.raises(CredentialsError, match=f"{name}: No such file"):
        load_credentials(folder)


@pytest.mark.parametrize("name", ["tls.crt", "tls.key", "ca.crt"])
def test_a_file_that_is_no_pem_is_named(authority, tmp_path, name):
    folder = authority.issue(tmp_path / "own", JOB)
    (folder / name).write_text("no pem\n")
    with pytest.raises(CredentialsError, match=name):
        load_credentials(folder)


def test_a_key_of_another_certificate_is_noticed(authority, tmp_path):
    folder = authority.issue(tmp_path / "own", JOB)
    other = authority.issue(tmp_path / "other", JOB)
    (folder / "tls.key").write_bytes((other / "tls.key").read_bytes())
    with pytest.raises(CredentialsError, match="not a PEM certificate and its key"):
        load_credentials(folder)


def test_an_authority_that_did_not_sign_the_certificate_is_noticed(
    authority, other_authority, tmp_path
):
    folder = authority.issue(tmp_path / "own", JOB)
    other = other_authority.issue(tmp_path / "other", JOB)
    (folder / "ca.crt").write_bytes((other / "ca.crt").read_bytes())
    with pytest.raises(CredentialsError, match="is not accepted by"):
        load_credentials(folder)


@pytest.mark.parametrize("uris", [(), (JOB, OTHER_JOB)])
def test_a_certificate_must_name_exactly_one_job(authority, tmp_path, uris):
    folder = authority.issue(tmp_path / "own", *uris)
    with pytest.raises(CredentialsError, match="exactly one URI"):
        load_credentials(folder)
