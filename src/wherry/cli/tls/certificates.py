"""Keys and X.509 certificates: an authority, a server's, a client's (RFC 5280).

ECDSA over P-256: every TLS library of the last ten years knows it, and a key takes a millisecond.
The library is imported with this module, which only `wherry tls` imports.
"""

import datetime
import ipaddress
from collections.abc import Sequence
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from wherry.kit.errors import Corrupt

AUTHORITY_DAYS = 3650
HOUR = datetime.timedelta(hours=1)


class Signed(NamedTuple):
    """A certificate and its key, as PEM."""

    certificate: bytes
    key: bytes


class Authority(NamedTuple):
    """What signs."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def pem(self) -> Signed:
        """Both as PEM."""
        return Signed(self.certificate.public_bytes(serialization.Encoding.PEM), _pem(self.key))


def new_authority(name: str) -> Authority:
    """A self-signed authority that may sign end certificates only."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    builder = _builder(subject, subject, key.public_key(), AUTHORITY_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    return Authority(builder.sign(key, hashes.SHA256()), key)


def read_authority(pem: Signed) -> Authority:
    """Raises Corrupt."""
    try:
        certificate = x509.load_pem_x509_certificate(pem.certificate)
        key = serialization.load_pem_private_key(pem.key, None)
    except (ValueError, TypeError) as error:
        raise Corrupt(f"broken authority: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise Corrupt("the authority's key is not one that `wherry tls init` made")
    return Authority(certificate, key)


def server(authority: Authority, hosts: Sequence[str], days: int) -> Signed:
    """A server's certificate for these names and addresses."""
    names = x509.SubjectAlternativeName([_general(host) for host in hosts])
    return _issued(authority, hosts[0], ExtendedKeyUsageOID.SERVER_AUTH, days, names)


def client(authority: Authority, name: str, days: int) -> Signed:
    """A client's certificate."""
    return _issued(authority, name, ExtendedKeyUsageOID.CLIENT_AUTH, days, None)


def hosts_of(certificate: bytes) -> list[str]:
    """The names and addresses a server's certificate is for. Raises Corrupt."""
    try:
        loaded = x509.load_pem_x509_certificate(certificate)
        names = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound) as error:
        raise Corrupt(f"broken server certificate: {error}") from error
    return [str(name.value) for name in names]


def _issued(
    authority: Authority,
    name: str,
    purpose: x509.ObjectIdentifier,
    days: int,
    names: x509.SubjectAlternativeName | None,
) -> Signed:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_name(name), authority.certificate.subject, key.public_key(), days)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    builder = builder.add_extension(issuer, critical=False)
    if names is not None:
        builder = builder.add_extension(names, critical=False)
    made = builder.sign(authority.key, hashes.SHA256())
    return Signed(made.public_bytes(serialization.Encoding.PEM), _pem(key))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    """Valid from an hour ago, for clocks that are late."""
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - HOUR)
    builder = builder.not_valid_after(now + datetime.timedelta(days=days))
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


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


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:64])])


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
