"""A cluster's certificates and the kubeconfigs of those who speak with its API server."""

import base64
import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PEM = serialization.Encoding.PEM
USAGE_BITS = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True)
class Pki:
    """The folder of one cluster's keys: NAME.crt, NAME.key, NAME.kubeconfig.

    Attributes:
        folder: readable by its owner only.
        url: the API server's.

    """

    folder: Path
    url: str

    def path(self, name: str) -> Path:
        return self.folder / name

    def make_authority(self, name: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _subject(name)
        builder = _builder(subject, subject, key).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        builder = builder.add_extension(_usage("key_cert_sign", "digital_signature"), critical=True)
        self._write(name, key, builder.sign(key, hashes.SHA256()))

    def issue_client(
        self, name: str, user: str, group: str | None = None, authority: str = "ca"
    ) -> None:
        """Issue what a user or component shows the API server."""
        self._issue(name, _subject(user, group), ExtendedKeyUsageOID.CLIENT_AUTH, authority, ())

    def issue_server(self, name: str, hosts: Sequence[str]) -> None:
        """Issue what a server shows that is reached by these names and addresses."""
        self._issue(name, _subject(name), ExtendedKeyUsageOID.SERVER_AUTH, "ca", hosts)

    def issue_account_key(self) -> None:
        """Make the pair of keys that service accounts' tokens are signed and checked with."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._write_key("accounts", key)
        public = serialization.PublicFormat.SubjectPublicKeyInfo
        self.path("accounts.pub").write_bytes(key.public_key().public_bytes(PEM, public))

    def write_kubeconfig(self, name: str, token: str | None = None) -> Path:
        """Write NAME.kubeconfig for the client certificate of this name, or for a token."""
        if token is None:
            user = {
                "client-certificate-data": _encoded(self.path(f"{name}.crt")),
                "client-key-data": _encoded(self.path(f"{name}.key")),
            }
        else:
            user = {"token": token}
        cluster = {
            "server": self.url,
            "certificate-authority-data": _encoded(self.path("ca.crt")),
        }
        path = self.path(f"{name}.kubeconfig")
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "testbed", "cluster": cluster}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": name}}],
            "current-context": "testbed",
        }
        path.write_text(json.dumps(config, indent=2))  # JSON is YAML
        return path

    def _issue(
        self,
        name: str,
        subject: x509.Name,
        purpose: x509.ObjectIdentifier,
        authority: str,
        hosts: Sequence[str],
    ) -> None:
        issuer = x509.load_pem_x509_certificate(self.path(f"{authority}.crt").read_bytes())
        issuer_key = serialization.load_pem_private_key(
            self.path(f"{authority}.key").read_bytes(), None
        )
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(subject, issuer.subject, key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage("digital_signature", "key_encipherment"), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        )
        if hosts:
            names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
            builder = builder.add_extension(names, critical=False)
        self._write(name, key, builder.sign(issuer_key, hashes.SHA256()))

    def _write(
        self, name: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate
    ) -> None:
        self._write_key(name, key)
        self.path(f"{name}.crt").write_bytes(certificate.public_bytes(PEM))

    def _write_key(self, name: str, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
        plain = serialization.NoEncryption()
        private = serialization.PrivateFormat.TraditionalOpenSSL
        self.path(f"{name}.key").write_bytes(key.private_bytes(PEM, private, plain))


def make_pki(folder: Path, url: str, hosts: Sequence[str], nodes: dict[str, str]) -> Pki:
    """Make all that a cluster needs.

    Args:
        folder: is made.
        url: of the API server.
        hosts: further names and addresses of the API server.
        nodes: addresses of the nodes by their names.

    """
    folder.mkdir(mode=0o700, parents=True)
    pki = Pki(folder, url)
    pki.make_authority("ca")
    pki.make_authority("front-proxy-ca")
    pki.issue_account_key()
    services = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    names = [*services, "kubernetes.default.svc.cluster.local", "localhost", *hosts]
    pki.issue_server("apiserver", names)
    pki.issue_client("front-proxy-client", "front-proxy-client", authority="front-proxy-ca")
    pki.issue_client("kubelet-client", "kube-apiserver-kubelet-client", "system:masters")
    clients = {
        "admin": ("admin", "system:masters"),
        "controller-manager": ("system:kube-controller-manager", None),
        "scheduler": ("system:kube-scheduler", None),
        "proxy": ("system:kube-proxy", None),
    } | {f"node-{name}": (f"system:node:{name}", "system:nodes") for name in nodes}
    for name, (user, group) in clients.items():
        pki.issue_client(name, user, group)
        pki.write_kubeconfig(name)
    for name, address in nodes.items():
        pki.issue_server(f"kubelet-{name}", [name, address])
    return pki


def _subject(name: str, group: str | None = None) -> x509.Name:
    organisation = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else []
    return x509.Name([*organisation, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=7))
    )


def _usage(*bits: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{bit: bit in bits for bit in USAGE_BITS})


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
