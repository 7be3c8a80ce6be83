"""A job's own authority, certificate and key."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store

from gossip_operator.credentials import issue, job_uri
from gossip_trainer.transport.errors import CredentialsError
from gossip_trainer.transport.security import load_credentials

NOW = datetime.now(UTC).replace(microsecond=0)


def written(folder, issued):
    folder.mkdir()
    (folder / "tls.crt").write_text(issued.tls_crt)
    (folder / "tls.key").write_text(issued.tls_key)
    (folder / "ca.crt").write_text(issued.ca_crt)
    return folder


def test_a_process_of_the_job_accepts_them_and_finds_its_job_in_them(tmp_path):
    credentials = load_credentials(written(tmp_path / "tls", issue("team", "uid-1", NOW)))
    assert credentials.uri == "spiffe://gossip.training/ns/team/job/uid-1"
    assert credentials.uri == job_uri("team", "uid-1")


def test_they_are_good_for_clients_and_servers_by_the_strict_rules_of_the_web():
    issued = issue("team", "uid-1", NOW)
    certificate = x509.load_pem_x509_certificate(issued.tls_crt.encode())
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usage) == {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH}
    authority = x509.load_pem_x509_certificate(issued.ca_crt.encode())
    verifier = PolicyBuilder().store(Store([authority])).time(NOW).build_client_verifier()
    assert verifier.verify(certificate, []).subjects == [
        x509.UniformResourceIdentifier(job_uri("team", "uid-1"))
    ]


def test_they_are_good_from_an_hour_ago_for_ten_years():
    for text in (issue("team", "uid-1", NOW).tls_crt, issue("team", "uid-1", NOW).ca_crt):
        certificate = x509.load_pem_x509_certificate(text.encode())
        assert certificate.not_valid_before_utc == NOW - timedelta(hours=1)
        assert certificate.not_valid_after_utc == NOW + timedelta(days=3650)


def test_the_key_belongs_to_the_certificate_and_not_to_the_authority():
    issued = issue("team", "uid-1", NOW)
    public = load_pem_private_key(issued.tls_key.encode(), None).public_key()
    assert x509.load_pem_x509_certificate(issued.tls_crt.encode()).public_key() == public
    assert x509.load_pem_x509_certificate(issued.ca_crt.encode()).public_key() != public


def test_every_job_has_another_authority(tmp_path):
    one, other = issue("team", "uid-1", NOW), issue("team", "uid-1", NOW)
    folder = written(tmp_path / "tls", one)
    (folder / "ca.crt").write_text(other.ca_crt)
    with pytest.raises(CredentialsError, match="is not accepted by"):
        load_credentials(folder)


def test_printing_them_does_not_show_the_key():
    assert "PRIVATE KEY" not in repr(issue("team", "uid-1", NOW))
