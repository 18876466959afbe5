"""By what name a client knows a person (OpenID Connect Core 1.0, section 8).

Most know the name that the system has. A client of a sector (`Client.sector`) gets one that is made for that sector, so
that clients of different ones cannot tell by it that they speak of the same person (section 8.1). Only what is made for
the client to read says it: ID tokens, logout tokens, and answers of `/userinfo` and of introspection. Access tokens are
for the services of this system, and name people as the system does (docs/adr/0016).
"""

import hashlib
import hmac
from typing import Final

from ringwall.identity.issuer.kept_key import kept_key
from ringwall.identity.keystore import KeyStore
from ringwall.identity.tokens.encoding import encode_base64url
from ringwall.model.secret import Secret
from ringwall.plan.client import Client

KEY_NAME: Final = "pairwise-subjects"


class Subjects:
    """Makes pairwise subjects. They stay the same for as long as the issuer's keys are kept."""

    def __init__(self, keystore: KeyStore) -> None:
        self._keystore = keystore
        self._key: Secret | None = None

    def of(self, client: Client, account: str) -> str:
        """Return `sub` of a person for a client.

        In a sector it is HMAC-SHA-256 of sector and account, under a key of the issuer's own: nobody else can make it,
        or find the account from it (section 8.1, third algorithm).
        """
        if not client.sector:
            return account
        if self._key is None:
            self._key = kept_key(self._keystore, KEY_NAME)
        said = f"{client.sector}\0{account}".encode()
        return encode_base64url(hmac.new(self._key.reveal(), said, hashlib.sha256).digest())
