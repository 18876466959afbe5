"""Logout tokens (OpenID Connect Back-Channel Logout 1.0, section 2.4): what tells a client that a session has ended."""

from typing import Any, Final

from ringwall.identity.issuer.access_tokens import Signer, new_jti
from ringwall.identity.issuer.directory import Directory
from ringwall.identity.store.logouts import Logout
from ringwall.plan.client import Client

LOGOUT_TOKEN: Final = "logout+jwt"  # noqa: S105  # a media type
EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
SECONDS: Final = 120
"""As short as section 2.4 recommends."""


def make_logout_token(
    logout: Logout, client: Client, *, subject: str, directory: Directory, now: float, sign: Signer
) -> str:
    """Return a logout token, signed as the client's ID tokens are (section 2.6, step 3).

    It names the session and the person, as the client knows them, so that every client finds what it knows. It has a
    type of its own and no `nonce`, so that nobody takes it for an ID token (sections 2.4 and 4).
    """
    claims: dict[str, Any] = {
        "iss": directory.issuer,
        "sub": subject,
        "aud": logout.client,
        "iat": int(now),
        "exp": int(now) + SECONDS,
        "jti": new_jti(),
        "events": {EVENT: {}},
        "sid": logout.session,
    }
    return sign(claims, typ=LOGOUT_TOKEN, algorithm=client.id_token_signed_response_alg)
