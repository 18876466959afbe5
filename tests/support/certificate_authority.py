"""Authorities and the certificates that they sign, right ones and wrong ones."""

import base64
import datetime as dt
import secrets
import ssl
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
HOUR = dt.timedelta(hours=1)
_SIGNS = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def name(*attributes: str | x509.NameAttribute[str]) -> x509.Name:
    """A name; texts are common names."""
    return x509.Name(
        [each if isinstance(each, x509.NameAttribute) else x509.NameAttribute(NameOID.COMMON_NAME, each)
         for each in attributes]
    )  # fmt: skip


class Certified:
    """A key and the certificate for it, with those between it and its root."""

    def __init__(self, key: Key, certificate: x509.Certificate, between: Sequence[x509.Certificate] = ()) -> None:
        self.key, self.certificate, self.between = key, certificate, tuple(between)

    @property
    def shown(self) -> tuple[x509.Certificate, ...]:
        return (self.certificate, *self.between)

    @property
    def der(self) -> str:
        return base64.b64encode(self.certificate.public_bytes(serialization.Encoding.DER)).decode()

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def thumbprint(self) -> str:
        """`x5t#S256` (RFC 8705, section 3.1)."""
        return thumbprint(self.certificate)

    def into(self, context: ssl.SSLContext, folder: Path) -> None:
        """Let a client's context show it, with those between it and its root, where it is asked for one."""
        file = folder / f"{secrets.token_hex(8)}.pem"  # its own, as several threads may show one certificate
        file.write_bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + b"".join(each.public_bytes(serialization.Encoding.PEM) for each in self.shown)
        )
        context.load_cert_chain(file)

    def sign(
        self,
        subject: x509.Name | str,
        *extensions: x509.ExtensionType | x509.Extension[Any],
        authority: bool = False,
        path_length: int | None = None,
        valid: tuple[dt.timedelta, dt.timedelta] = (-HOUR, HOUR),
        at: float | None = None,
        key: Key | None = None,
    ) -> "Certified":
        """Make a certificate that this one's key has signed."""
        made = key or ec.generate_private_key(ec.SECP256R1())
        issued = _build(
            name(subject) if isinstance(subject, str) else subject, made, extensions, issuer=self.certificate.subject,
            by=self.key, authority=authority, path_length=path_length, valid=valid, at=at,
        )  # fmt: skip
        root = self.certificate.issuer == self.certificate.subject
        return Certified(made, issued, () if root else self.shown)


def authority(
    subject: x509.Name | str = "Clients' Root", *extensions: x509.ExtensionType, at: float | None = None
) -> Certified:
    """Make a root."""
    key = ec.generate_private_key(ec.SECP256R1())
    named = name(subject) if isinstance(subject, str) else subject
    return Certified(key, _build(named, key, extensions, issuer=named, by=key, authority=True, at=at))


def thumbprint(certificate: x509.Certificate) -> str:
    return base64.urlsafe_b64encode(certificate.fingerprint(hashes.SHA256())).rstrip(b"=").decode()


def sans(*names: x509.GeneralName) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName(names)


def as_envoy_says(certificates: Iterable[x509.Certificate]) -> str:
    """The header by which the edge hands over a chain."""
    return "".join(quote(each.public_bytes(serialization.Encoding.PEM).decode(), safe="-") for each in certificates)


def _build(  # what a certificate is made of
    subject: x509.Name,
    key: Key,
    extensions: Iterable[x509.ExtensionType | x509.Extension[Any]],
    *,
    issuer: x509.Name,
    by: Key,
    authority: bool,
    path_length: int | None = None,
    valid: tuple[dt.timedelta, dt.timedelta] = (-HOUR, HOUR),
    at: float | None = None,
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC) if at is None else dt.datetime.fromtimestamp(at, dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + valid[0])
        .not_valid_after(now + valid[1])
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
    )
    if authority:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        builder = builder.add_extension(_SIGNS, critical=True)
    for each in extensions:
        if isinstance(each, x509.Extension):
            builder = builder.add_extension(each.value, critical=each.critical)
        else:
            builder = builder.add_extension(each, critical=isinstance(each, x509.NameConstraints))
    return builder.sign(by, None if isinstance(by, ed25519.Ed25519PrivateKey) else hashes.SHA256())
