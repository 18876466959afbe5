"""A client's server on this machine over https, with what it keeps there for the issuer."""

import ipaddress
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.support.misbehaving_issuer import IssuerServer, send


class DocumentServer(IssuerServer):
    """Serves documents that tests put there.

    Attributes:
        host: its host, without the port.
        posted: the bodies that were posted to it.
    """

    host = "127.0.0.1"

    def __init__(self, tls: ssl.SSLContext) -> None:
        super().__init__(tls)
        self.posted: list[bytes] = []

        take = lambda handler: self._take(handler)  # noqa: E731, PLW0108  # as a method of the handler, not of this
        setattr(self._server.RequestHandlerClass, "do_POST", take)  # noqa: B010  # each server has its own class

    def _take(self, handler: BaseHTTPRequestHandler) -> None:
        self.posted.append(handler.rfile.read(int(handler.headers["content-length"])))
        send(handler, b"")

    def put(self, path: str, document: Any) -> str:
        """Keep a document, text as it is and all else as JSON; return its address."""
        body = document.encode() if isinstance(document, str) else json.dumps(document).encode()
        self.answers[path] = lambda handler: send(handler, body)
        return f"{self.url}{path}"


@contextmanager
def document_server(trusted: Path) -> Iterator[DocumentServer]:
    """Run one; who trusts the certificate that is written to `trusted` can ask it."""
    server = DocumentServer(_certificate(trusted))
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _certificate(trusted: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a client's server")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName(
        [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost"), x509.DNSName("suite.example")]
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    trusted.parent.mkdir(parents=True, exist_ok=True)
    trusted.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    both = trusted.with_name("client-server.pem")
    both.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + trusted.read_bytes()
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return context
