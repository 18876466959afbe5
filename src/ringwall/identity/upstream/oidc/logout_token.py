"""What is believed of a provider's logout token (OpenID Connect Back-Channel Logout 1.0, section 2.6). No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ringwall.identity.store.origins import Origin
from ringwall.identity.tokens.keys import KeySet
from ringwall.identity.upstream.identity import UpstreamRefusedError
from ringwall.identity.upstream.oidc.id_token import LEEWAY_SECONDS, verify_from
from ringwall.model.clock import Clock
from ringwall.plan.upstream import Upstream

EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
OLDEST_SECONDS: Final = 600.0
"""It comes straight from the provider."""
_TYPES: Final = frozenset({"", "jwt", "logout+jwt"})
"""Section 2.4 recommends a type of its own, and many providers give none."""
_MAX_NAME: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedThere:
    """What a provider has ended.

    Attributes:
        origin: of which sessions here: all of a person, or those of one session there.
        once: what must not come a second time.
        until: when it would be refused anyway, seconds since the epoch.
    """

    origin: Origin
    once: str
    until: float


def verify_logout_token(text: str, *, upstream: Upstream, keys: KeySet, clock: Clock) -> EndedThere:
    """Return what a logout token ends.

    1. It is signed by one of the provider's keys with that key's algorithm, `iss` is the provider's and `aud` names us,
       and it has not expired (steps 2 to 4).
    2. It was made just now (step 4).
    3. It names a person, a session, or both (step 5).
    4. It is about a logout (step 6).
    5. It has no `nonce`, so it is no ID token (step 7).
    6. It has a name, by which the caller sees that it has not come before (step 8).
    """
    verified = verify_from(
        upstream, text, called="logout token", keys=keys, types=_TYPES, clock=clock, about_somebody=False
    )  # 1
    claims, now = verified.claims, clock.now()
    issued = claims.get("iat")
    if issued is None or not now - OLDEST_SECONDS <= issued <= now + LEEWAY_SECONDS:  # 2
        raise UpstreamRefusedError("issued", "the logout token was not made just now")
    session = _text(claims, "sid")
    if not verified.subject and not session:  # 3
        raise UpstreamRefusedError("subject", "the logout token names nobody and no session")
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):  # 4
        raise UpstreamRefusedError("event", "the logout token is about something else")
    if "nonce" in claims:  # 5
        raise UpstreamRefusedError("nonce", "the logout token has a nonce, which none has")
    name = _text(claims, "jti")
    if not name:  # 6
        raise UpstreamRefusedError("jti", "the logout token has no `jti`")
    return EndedThere(
        origin=Origin(issuer=verified.issuer, person=verified.subject, session=session),
        once=f"{verified.issuer} {name}",
        until=min(verified.expires, issued + OLDEST_SECONDS) + LEEWAY_SECONDS,
    )


def _text(claims: Mapping[str, Any], name: str) -> str:
    """Return a claim that is a text; empty where it is absent."""
    value = claims.get(name, "")
    if not isinstance(value, str) or len(value) > _MAX_NAME:
        raise UpstreamRefusedError("claims", f"the logout token's `{name}` is no text, or too long")
    return value
