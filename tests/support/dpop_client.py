"""Who holds a key and proves it: DPoP proofs made by joserfc, right ones and wrong ones."""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from joserfc.jwk import ECKey, OKPKey, RSAKey
from tests.support.joserfc_keys import make_key, public_jwk, sign

from ringwall.model.clock import Clock


@dataclass
class DpopClient:
    """A key, the clock by which proofs are dated, and the nonce last given by the server."""

    clock: Clock
    algorithm: str = "ES256"
    key: ECKey | OKPKey | RSAKey = field(default_factory=lambda: make_key("ES256"))
    nonce: str = ""

    @property
    def jkt(self) -> str:
        return str(self.key.thumbprint())

    def proof(
        self, method: str, uri: str, *, access_token: str = "", header: dict[str, Any] | None = None, **changes: Any
    ) -> str:
        """Make a proof; a change to None leaves a member out."""
        claims: dict[str, Any] = {
            "jti": secrets.token_urlsafe(12),
            "htm": method,
            "htu": uri,
            "iat": int(self.clock.now()),
            "nonce": self.nonce or None,
            "ath": hash_of(access_token) if access_token else None,
            **changes,
        }
        head = {"typ": "dpop+jwt", "alg": self.algorithm, "jwk": public_members(self.key), **(header or {})}
        payload = json.dumps({name: value for name, value in claims.items() if value is not None})
        return sign({name: value for name, value in head.items() if value is not None}, payload, self.key)


def public_members(key: ECKey | OKPKey | RSAKey) -> dict[str, Any]:
    """The members that make up the key, and no other."""
    return {name: value for name, value in public_jwk(key).items() if name in {"kty", "crv", "x", "y", "n", "e"}}


def hash_of(token: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
