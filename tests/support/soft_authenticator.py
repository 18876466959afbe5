"""An authenticator in software, which makes and uses passkeys as a browser would send them (WebAuthn, level 3)."""

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from ringwall.identity.tokens.encoding import decode_base64url, encode_base64url

PRESENT, VERIFIED, ELIGIBLE, BACKED_UP, ATTESTED = 1, 4, 8, 16, 64


@dataclass
class SoftAuthenticator:
    """One device with one passkey; every attribute may be changed to misbehave."""

    origin: str = "https://shop.localhost:8443"
    flags: int = PRESENT | VERIFIED
    count: int = 0
    counts: bool = True
    client_data: dict[str, Any] = field(default_factory=dict)
    rp_id: str | None = None
    format: str = "none"
    user_handle: bytes = b""
    credential: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def make(self, options: dict[str, Any]) -> bytes:
        """Answer the options of `navigator.credentials.create()`."""
        self.rp_id = self.rp_id or options["rp"]["id"]
        self.user_handle = self.user_handle or decode_base64url(options["user"]["id"])
        numbers = self.key.public_key().public_numbers()
        public = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")})
        attested = bytes(16) + len(self.credential).to_bytes(2, "big") + self.credential + public
        data = self._authenticator_data(ATTESTED) + attested
        client = self._client_data("webauthn.create", options["challenge"])
        statement = self._statement(data, client)
        return self._answer(
            clientDataJSON=client,
            attestationObject=cbor2.dumps({"fmt": self.format, "attStmt": statement, "authData": data}),
        )

    def _statement(self, data: bytes, client: bytes) -> dict[str, Any]:
        """Return what attests the new key: nothing, a signature by itself, or one by a certified key of 2014."""
        hashed = hashlib.sha256(client).digest()
        if self.format == "packed":
            return {"alg": -7, "sig": self.key.sign(data + hashed, ec.ECDSA(SHA256()))}
        if self.format == "fido-u2f":
            point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            signed = b"\0" + data[:32] + hashed + self.credential + point
            name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "maker")])
            now = datetime.now(UTC)
            builder = x509.CertificateBuilder(name, name, self.key.public_key(), 1, now, now + timedelta(days=1))
            made = builder.sign(self.key, SHA256()).public_bytes(Encoding.DER)
            return {"x5c": [made], "sig": self.key.sign(signed, ec.ECDSA(SHA256()))}
        return {}

    def use(self, options: dict[str, Any]) -> bytes:
        """Answer the options of `navigator.credentials.get()`."""
        if self.counts:
            self.count += 1
        client = self._client_data("webauthn.get", options["challenge"])
        data = self._authenticator_data(0)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._answer(
            clientDataJSON=client, authenticatorData=data, signature=signature, userHandle=self.user_handle
        )

    def _client_data(self, kind: str, challenge: str) -> bytes:
        data = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False, **self.client_data}
        return json.dumps(data).encode()

    def _authenticator_data(self, more: int) -> bytes:
        assert self.rp_id is not None
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([self.flags | more]) + self.count.to_bytes(4, "big")

    def _answer(self, **response: bytes) -> bytes:
        encoded = encode_base64url(self.credential)
        answer = {
            "id": encoded,
            "rawId": encoded,
            "type": "public-key",
            "clientExtensionResults": {},
            "response": {name: encode_base64url(value) for name, value in response.items()},
        }
        return json.dumps(answer).encode()
