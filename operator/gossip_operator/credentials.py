"""A job's own certificate authority, certificate and key, for mutual TLS between its pods.

All pods of a job have the same certificate: it proves that its holder belongs to the job, not which
rank it is. The authority's key signs once and is thrown away, so nobody can make another
certificate that the job would accept, not even the operator.

A certificate is good for ten years, longer than any job runs, for there is nothing to renew it in
processes that never stop. Who must change a key deletes the Secret and the pods: the operator makes
both anew, under a new authority, and old and new pods do not talk to each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gossip_api.names import GROUP

if TYPE_CHECKING:
    from datetime import datetime

LIFETIME: Final = timedelta(days=3650)
CLOCK_SKEW: Final = timedelta(hours=1)
"""How far a node's clock may be behind the operator's."""


@dataclass(frozen=True, slots=True)
class Issued:
    """Three PEM texts; the key does not show when the record is printed."""

    tls_crt: str
    tls_key: str = field(repr=False)
    ca_crt: str


def job_uri(namespace: str, job_uid: str) -> str:
    """Name a job as its certificate does; all its processes must show the same name."""
    return f"spiffe://{GROUP}/ns/{namespace}/job/{job_uid}"


def issue(namespace: str, job_uid: str, now: datetime) -> Issued:
    """Make a new authority, and a key and a certificate of a job; ECDSA on P-256.

    `now` needs a time zone.
    """
    authority, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of one training job")])
    authority_key = x509.SubjectKeyIdentifier.from_public_key(authority.public_key())
    root = (
        _builder(issuer, issuer, authority, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(authority_key, critical=False)
        .sign(authority, hashes.SHA256())
    )
    uri = x509.UniformResourceIdentifier(job_uri(namespace, job_uid))
    both_sides = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    identifier = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority_key)
    certificate = (
        _builder(issuer, x509.Name([]), key, now)
        # critical, as RFC 5280 wants it where the subject is empty
        .add_extension(x509.SubjectAlternativeName([uri]), critical=True)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(both_sides), critical=False)
        .add_extension(identifier, critical=False)
        .sign(authority, hashes.SHA256())
    )
    return Issued(tls_crt=_pem(certificate), tls_key=_key_pem(key), ca_crt=_pem(root))


def _builder(
    issuer: x509.Name, subject: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + LIFETIME)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
