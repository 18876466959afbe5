"""Whether what the issuer gave out is still good: what it revoked itself, and what the operator did."""

import math
from collections.abc import Mapping
from typing import Any, Final

from ringwall.identity.issuer.clients.mutual_tls import CONFIRMATION, is_named
from ringwall.identity.issuer.clients.registered import is_registered_id
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.revocation import REVOCATIONS_FILE
from ringwall.identity.revocation.reading import RevocationReader
from ringwall.identity.tokens.claims import ACCESS_TOKEN, Expected, VerifiedClaims, verify_token
from ringwall.identity.tokens.errors import TokenRefusedError
from ringwall.model.revocation import Revoked

SKEW_SECONDS: Final = 60.0
"""For so long after its end a proxy may still take a token."""
_KINDS: Final = (
    ("token", "jti"),
    ("session", "sid"),
    ("family", "grant_id"),
    ("account", "sub"),
    ("client", "client_id"),
)
_UP_TO: Final = frozenset({"account", "client"})
"""Of these, what is issued later is good again."""


class Standing:
    """Knows which tokens and which clients are believed no more."""

    def __init__(self, context: IssuerContext) -> None:
        self._context = context
        self._operator = RevocationReader(
            context.settings.state / REVOCATIONS_FILE, context.clock, first_look=context.first_look
        )

    async def access_token(self, text: str) -> VerifiedClaims | None:
        """Return what an access token of ours says if it is good now, else None.

        1. It is one of ours, for this system, and has not expired (RFC 9068, section 4). 2. The operator has not
        revoked it, nor taken its certificate out of the plan. 3. Nor has the issuer: it, its session, its grant, its
        subject or its client (RFC 7009, 2.1).
        """
        directory = self._context.directory.current()
        expected = Expected(
            issuer=directory.issuer, audiences=frozenset({directory.audience}), types=frozenset({ACCESS_TOKEN})
        )
        try:
            keys = self._context.keys.key_set
            found = verify_token(text, keys=keys, expected=expected, clock=self._context.clock)  # 1
        except TokenRefusedError:
            return None
        return None if await self.revoked(found.claims) else found

    async def revoked(self, claims: Mapping[str, Any]) -> bool:
        """Return whether a token of ours with these claims was revoked."""
        if self._operator.of_token(claims) is not None or self._withdrawn(claims):  # 2
            return True
        revocations = (await self._context.storage.database()).revocations
        issued = claims.get("iat")
        for kind, name in _KINDS:  # 3
            subject = claims.get(name)
            if not isinstance(subject, str):
                continue
            found = await revocations.find(kind, subject, now=self._context.clock.now())
            if found is None:
                continue
            if kind not in _UP_TO or not isinstance(issued, int | float) or issued < issued_before(found.revoked):
                return True
        return False

    def _withdrawn(self, claims: Mapping[str, Any]) -> bool:
        """Return whether a token is bound to a certificate that the plan does not name any more, as the edge asks."""
        confirmation = claims.get("cnf")
        bound = confirmation.get(CONFIRMATION) if isinstance(confirmation, dict) else None
        name = str(claims.get("client_id", ""))
        if bound is None or is_registered_id(name):
            return False
        client = self._context.directory.current().clients.get(name)
        return client is None or (bool(client.certificates) and not is_named(str(bound), client))

    def client_revoked(self, name: str) -> bool:
        """Return whether the operator has revoked a client: itself, and not only what it got up to a time."""
        issuer = self._context.directory.current().issuer
        found = self._operator.find(Revoked.CLIENT, name, issuer)
        return found is not None and found.before is None


def issued_before(revoked: float) -> int:
    """Return the `iat` from which tokens are good again: who signs in anew within the same second must not be refused.

    What was issued earlier in that second is refused by its grant, which whoever ends an account's grants revokes too.
    """
    return math.floor(revoked)
