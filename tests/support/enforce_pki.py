"""A small certificate authority and token issuer for tests of enforcement: credentials that a test can bend."""

import base64
import datetime as dt
import ipaddress
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ringwall.model.credentials import X509Credential
from ringwall.model.revocation import Revocation
from ringwall.model.secret import Secret

_DAY = dt.timedelta(days=1)


class Authority:
    """A root that issues whatever it is asked for."""

    def __init__(self, name: str = "test root") -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = (
            self._builder(self.name, self.key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
            .sign(self.key, hashes.SHA256())
        )

    def _builder(self, subject: x509.Name, key: Any) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + _DAY)
        )

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, *, uri: str | None = None, names: Sequence[str] = ()) -> X509Credential:
        key = ec.generate_private_key(ec.SECP256R1())
        san: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri)] if uri else []
        for name in names:
            try:
                san.append(x509.IPAddress(ipaddress.ip_address(name)))
            except ValueError:
                san.append(x509.DNSName(name))
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        certificate = (
            self._builder(x509.Name([]), key.public_key())
            .add_extension(x509.SubjectAlternativeName(san), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        now = time.time()
        return X509Credential(
            certificate.public_bytes(serialization.Encoding.PEM), Secret(pem), now - 86400, now + 86400
        )


class Credentials:
    """A credential source whose every certificate can be replaced under way."""

    def __init__(self) -> None:
        self.authority = Authority()
        self.roots = [self.authority.pem]
        self.wrong: dict[str, str] = {}
        """SPIFFE IDs that are given a certificate of another."""
        self._issued: dict[str, X509Credential] = {}
        self._subscribers: list[Callable[[], None]] = []

    def svid(self, spiffe_id: str) -> X509Credential:
        if spiffe_id not in self._issued:
            self._issued[spiffe_id] = self.authority.issue(uri=self.wrong.get(spiffe_id, spiffe_id))
        return self._issued[spiffe_id]

    def trust_bundle(self) -> bytes:
        return b"".join(self.roots)

    def edge_certificate(self, domains: Sequence[str]) -> X509Credential:
        key = "edge:" + ",".join(domains)
        if key not in self._issued:
            self._issued[key] = self.authority.issue(names=[*domains, "127.0.0.1"])
        return self._issued[key]

    def subscribe(self, changed: Callable[[], None]) -> None:
        self._subscribers.append(changed)

    def changed(self) -> None:
        for subscriber in self._subscribers:
            subscriber()

    def rotate(self) -> None:
        """Replace every certificate by a new one of the present authority."""
        self._issued.clear()
        self.changed()

    def write_root(self, folder: Path) -> Path:
        path = folder / "root.pem"
        path.write_bytes(self.trust_bundle())
        return path


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Tokens:
    """An issuer of ES256 tokens, and the source of its keys."""

    def __init__(self, url: str = "https://localhost/auth", audience: str = "clinic", name: str = "local") -> None:
        self.url, self.audience, self.name = url, audience, name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self._subscribers: list[Callable[[], None]] = []

    def key_sets(self) -> Mapping[str, str]:
        numbers = self.key.public_key().public_numbers()
        x, y = (_b64(n.to_bytes(32)) for n in (numbers.x, numbers.y))
        key = {"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": "1", "alg": "ES256", "use": "sig"}
        return {self.name: json.dumps({"keys": [key]})}

    def subscribe(self, changed: Callable[[], None]) -> None:
        self._subscribers.append(changed)

    def changed(self) -> None:
        for subscriber in self._subscribers:
            subscriber()

    def token(self, sub: Any = "alice", *, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """Return a token; a claim given as None is left out."""
        now = int(time.time())
        payload = {"iss": self.url, "aud": self.audience, "sub": sub, "iat": now, "exp": now + 600} | claims
        payload = {name: value for name, value in payload.items() if value is not None}
        head = {"alg": "ES256", "kid": "1", "typ": "at+jwt"} | dict(header or {})
        signed = f"{_b64(json.dumps(head).encode())}.{_b64(json.dumps(payload).encode())}"
        if head["alg"] == "none":
            return f"{signed}."
        r, s = utils.decode_dss_signature(self.key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_b64(r.to_bytes(32) + s.to_bytes(32))}"


class RevokedHere:
    """What a test has revoked."""

    def __init__(self) -> None:
        self._now: tuple[Revocation, ...] = ()
        self._subscribers: list[Callable[[], None]] = []

    def revocations(self) -> tuple[Revocation, ...]:
        return self._now

    def subscribe(self, changed: Callable[[], None]) -> None:
        self._subscribers.append(changed)

    def become(self, *revocations: Revocation) -> None:
        self._now = revocations
        for subscriber in self._subscribers:
            subscriber()
