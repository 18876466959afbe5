"""OpenID Connect as a way to sign in: begins at the authorization endpoint, ends with a verified ID token."""

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from ringwall.identity.federation.fetch import Fetcher
from ringwall.identity.store.origins import Origin
from ringwall.identity.tokens.encoding import encode_base64url
from ringwall.identity.tokens.errors import TokenRefusedError
from ringwall.identity.tokens.jws import UnverifiedToken
from ringwall.identity.upstream.identity import (
    UpstreamDeclinedError,
    UpstreamIdentity,
    UpstreamRefusedError,
    UpstreamUnavailableError,
)
from ringwall.identity.upstream.levels import at_least
from ringwall.identity.upstream.oidc.exchange import Exchange, Sign
from ringwall.identity.upstream.oidc.id_token import authenticated_at, expected_issuers, verify_id_token
from ringwall.identity.upstream.oidc.logout_token import EndedThere, verify_logout_token
from ringwall.identity.upstream.oidc.provider import Known, Provider
from ringwall.identity.upstream.secrets import SecretPlaces
from ringwall.identity.upstream.source import Begun, Wish
from ringwall.model.clock import Clock
from ringwall.plan.upstream import Upstream

_MAX_CODE: Final = 4096
_MAX_HINT: Final = 4096
_MAX_TEXT: Final = 200


class OidcSource:
    """One OpenID provider; a `SignInSource`."""

    def __init__(
        self,
        upstream: Upstream,
        *,
        fetcher: Fetcher,
        clock: Clock,
        development: bool,
        places: SecretPlaces,
        sign: Sign,
    ) -> None:
        assert upstream.oidc is not None  # noqa: S101  # the registry chooses by it
        oidc = upstream.oidc
        self._upstream = upstream
        self._oidc = oidc
        self._clock = clock
        self.provider = Provider(upstream.name, oidc, fetcher=fetcher, clock=clock, development=development)
        self._exchange = Exchange(self.provider, secret=lambda: places.read(oidc), sign=sign, clock=clock)

    async def begin(self, wish: Wish) -> Begun:
        """Begin: authorization request with PKCE S256, state and nonce (RFC 7636; OpenID Connect Core 1.0, 3.1.2.1)."""
        known = await self.provider.known()
        verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(32)
        asked = {
            "response_type": "code",
            "client_id": self._oidc.client_id,
            "redirect_uri": wish.return_to,
            "scope": " ".join(self._oidc.scopes),
            "nonce": nonce,
            "code_challenge": encode_base64url(hashlib.sha256(verifier.encode()).digest()),
            "code_challenge_method": "S256",
        }
        if wish.login_hint:
            asked["login_hint"] = wish.login_hint
        if wish.again or wish.choose:
            asked["prompt"] = "login" if wish.again else "select_account"
        if wish.max_age is not None:
            asked["max_age"] = str(wish.max_age)
        if values := at_least(wish.levels, self._upstream.acr):
            asked["acr_values"] = " ".join(values)
        kept = {
            "verifier": verifier,
            "nonce": nonce,
            "return_to": wish.return_to,
            "again": wish.again,
            "max_age": wish.max_age,
            "begun": wish.now,
        }
        return Begun(kept=kept, location=lambda state: _with(known.authorization_endpoint, {**asked, "state": state}))

    async def finish(self, kept: Mapping[str, Any], answer: Mapping[str, str], *, now: float) -> UpstreamIdentity:
        """Return whom the provider has signed in.

        1. The answer is this provider's, where it says whose it is, or its metadata promises that it does (RFC 9207,
           section 2.4). So nobody can make us send a code to another provider than the one that made it.
        2. It is no error (RFC 6749, section 4.1.2.1), and brings a code.
        3. The code is redeemed with the verifier of this sign-in (RFC 7636, section 4.5).
        4. The ID token holds in every respect; by a key that was published a moment ago if need be.
        5. Who was to sign in anew, or lately, has.
        6. What the ID token leaves out, the UserInfo endpoint may add; it takes nothing's place.
        """
        known = await self.provider.known()
        if (known.says_issuer or "iss" in answer) and answer.get("iss", "") not in expected_issuers(
            self._upstream
        ):  # 1
            raise UpstreamRefusedError("mix-up", "the answer is another provider's")
        if "error" in answer:  # 2
            said = f"{answer['error'][:_MAX_TEXT]} {answer.get('error_description', '')[:_MAX_TEXT]}".rstrip()
            raise UpstreamDeclinedError("declined", f"the provider answers: {said}")
        code = answer.get("code", "")
        if not 0 < len(code) <= _MAX_CODE:
            raise UpstreamRefusedError("answer", "the provider's answer brings no code")
        tokens = await self._exchange.redeem(
            known, code=code, verifier=str(kept["verifier"]), redirect_uri=str(kept["return_to"])
        )  # 3
        known = await self._with_key_of(tokens.id_token, known)
        verified = verify_id_token(
            tokens.id_token,
            upstream=self._upstream,
            keys=known.keys,
            nonce=str(kept["nonce"]),
            access_token=tokens.access_token,
            clock=self._clock,
        )  # 4
        at = authenticated_at(
            verified, again=bool(kept["again"]), max_age=kept["max_age"], begun=float(kept["begun"]), now=now
        )  # 5
        claims = dict(verified.claims)
        if self._oidc.userinfo:
            claims = {**await self._exchange.userinfo(known, tokens, subject=verified.subject), **claims}  # 6
        session = {"id_token": tokens.id_token} if self._oidc.logout and len(tokens.id_token) <= _MAX_HINT else {}
        sid = verified.claims.get("sid")
        return UpstreamIdentity(
            issuer=verified.issuer,
            subject=verified.subject,
            claims=claims,
            authenticated=at,
            session=session,
            origin=Origin(issuer=verified.issuer, person=verified.subject, session=sid if isinstance(sid, str) else ""),
        )

    async def ended(self, logout_token: str) -> EndedThere:
        """Return which sessions a logout token ends (OpenID Connect Back-Channel Logout 1.0, section 2.6)."""
        known = await self._with_key_of(logout_token, await self.provider.known())
        return verify_logout_token(logout_token, upstream=self._upstream, keys=known.keys, clock=self._clock)

    async def sign_out(self, session: Mapping[str, Any], *, return_to: str, state: str) -> str | None:
        """Return where a browser signs out at the provider (OpenID Connect RP-Initiated Logout 1.0, section 2)."""
        if not self._oidc.logout:
            return None
        try:
            known = await self.provider.known()
        except UpstreamUnavailableError:
            return None  # who signs out here is signed out here, whatever becomes of the provider
        if not known.end_session_endpoint:
            return None
        asked = {"client_id": self._oidc.client_id, "post_logout_redirect_uri": return_to, "state": state}
        if "id_token" in session:
            asked["id_token_hint"] = str(session["id_token"])
        return _with(known.end_session_endpoint, asked)

    async def _with_key_of(self, id_token: str, known: Known) -> Known:
        """Return what is known, asked anew where the token's key is not (OpenID Connect Core 1.0, section 10.1.1)."""
        try:
            kid = UnverifiedToken.parse(id_token).kid
        except TokenRefusedError:
            return known  # which `verify_id_token` says
        return await self.provider.known(kid=kid)


def _with(endpoint: str, parameters: Mapping[str, str]) -> str:
    """Return an endpoint with parameters; a query that it has stays (RFC 6749, section 3.1)."""
    separator = "&" if urlsplit(endpoint).query else "?"
    return f"{endpoint.rstrip('?&')}{separator}{urlencode(parameters)}"
