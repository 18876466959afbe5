"""A client's own certificate, signed by itself, in files."""

import base64
import datetime as dt
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class ClientCertificate:
    """A key and its self-signed certificate."""

    def __init__(self, folder: Path) -> None:
        made = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a client")])
        now = dt.datetime.now(dt.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(made.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .sign(made, hashes.SHA256())
        )
        self.digest = certificate.fingerprint(hashes.SHA256())
        self.chain, self.key = folder / "client.pem", folder / "client.key"
        self.chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self.key.write_bytes(
            made.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )

    @property
    def thumbprint(self) -> str:
        """`x5t#S256` (RFC 8705, section 3.1)."""
        return base64.urlsafe_b64encode(self.digest).rstrip(b"=").decode()

    @property
    def fingerprint(self) -> str:
        """As openssl prints it."""
        return self.digest.hex(":").upper()

    def into(self, context: ssl.SSLContext) -> None:
        """Let a client's context show it where it is asked for one."""
        context.load_cert_chain(self.chain, self.key)
