"""From a code to tokens (RFC 6749, section 4.1.3), and to what the UserInfo endpoint says."""

import base64
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from urllib.parse import quote_plus, urlencode

from ringwall.identity.federation.fetch import Fetched
from ringwall.identity.tokens.encoding import EncodingError, decode_json_object
from ringwall.identity.upstream.identity import UpstreamRefusedError, UpstreamUnavailableError
from ringwall.identity.upstream.oidc.provider import Known, Provider
from ringwall.model.clock import Clock
from ringwall.model.secret import Secret
from ringwall.plan.upstream import ClientAuthentication

MAX_ANSWER: Final = 65_536
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_SECONDS: Final = 60
_ASSERTION: Final = "client-authentication+jwt"
_OK: Final = 200


class Sign(Protocol):
    """What signs claims with the issuer's own key, which its `/jwks` publishes."""

    def __call__(self, claims: Mapping[str, Any], *, typ: str) -> str:
        """Return the claims as a compact JWS with this media type."""
        ...


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a provider gave for a code; nothing of it has been believed yet."""

    id_token: str = field(repr=False)
    access_token: str = field(repr=False)


class Exchange:
    """Speaks to a provider's token and UserInfo endpoints in our name."""

    def __init__(self, provider: Provider, *, secret: Callable[[], Secret], sign: Sign, clock: Clock) -> None:
        self._provider = provider
        self._secret = secret
        self._sign = sign
        self._clock = clock

    async def redeem(self, known: Known, *, code: str, verifier: str, redirect_uri: str) -> Tokens:
        """Return the tokens for a code. Whatever the provider answers, the code is used up."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
            "client_id": self._provider.oidc.client_id,
        }
        headers = self._authenticate(form)
        answer = await self._provider.run(
            lambda: self._provider.fetcher.post(
                known.token_endpoint,
                urlencode(form).encode("ascii"),
                max_bytes=MAX_ANSWER,
                only_public=known.metadata.public,
                headers=headers,
            )
        )
        told = _object(answer, "the token endpoint")
        if answer.status != _OK:
            raise _refusal(told)
        id_token, access_token = told.get("id_token"), told.get("access_token")
        if not isinstance(id_token, str) or not isinstance(access_token, str):
            raise UpstreamRefusedError(
                "tokens", "the token endpoint gave no ID token", hint="is `openid` allowed there?"
            )
        return Tokens(id_token, access_token)

    async def userinfo(self, known: Known, tokens: Tokens, *, subject: str) -> dict[str, Any]:
        """Return what the UserInfo endpoint says (OpenID Connect Core 1.0, section 5.3).

        Its `sub` must be the ID token's, so that nobody's claims are put in another's place (section 5.3.2).
        """
        if not tokens.access_token.isascii() or not tokens.access_token.isprintable():
            raise UpstreamRefusedError("tokens", "the access token is no bearer token")
        answer = await self._provider.run(
            lambda: self._provider.fetcher.get(
                known.userinfo_endpoint,
                max_bytes=MAX_ANSWER,
                only_public=known.metadata.public,
                headers={"authorization": f"Bearer {tokens.access_token}"},
            )
        )
        told = _object(answer, "the UserInfo endpoint")
        if told.get("sub") != subject:
            raise UpstreamRefusedError("userinfo", "the UserInfo endpoint speaks of somebody else")
        return told

    def _authenticate(self, form: dict[str, str]) -> dict[str, str]:
        """Add to a request what proves who we are (OpenID Connect Core 1.0, section 9); return headers."""
        oidc = self._provider.oidc
        if oidc.authentication is ClientAuthentication.PRIVATE_KEY:
            now = int(self._clock.now())
            claims = {
                "iss": oidc.client_id,
                "sub": oidc.client_id,
                "aud": oidc.issuer,  # the issuer alone: no other endpoint can use it (RFC 7523, section 3, point 3)
                "jti": secrets.token_urlsafe(16),
                "iat": now,
                "exp": now + ASSERTION_SECONDS,
            }
            form["client_assertion_type"] = ASSERTION_TYPE
            form["client_assertion"] = self._sign(claims, typ=_ASSERTION)
            return {}
        secret = self._secret().reveal()
        if oidc.authentication is ClientAuthentication.POST:
            form["client_secret"] = secret.decode("ascii")
            return {}
        pair = f"{quote_plus(oidc.client_id)}:{quote_plus(secret)}"  # RFC 6749, section 2.3.1
        del form["client_id"]
        return {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _object(answer: Fetched, where: str) -> dict[str, Any]:
    try:
        return decode_json_object(answer.body)
    except EncodingError as error:
        raise UpstreamRefusedError("answer", f"what {where} answers is {error}") from None


def _refusal(told: Mapping[str, Any]) -> UpstreamRefusedError | UpstreamUnavailableError:
    """Return why the token endpoint gives nothing (RFC 6749, section 5.2)."""
    error = str(told.get("error", ""))[:100]
    said = f"the token endpoint refuses: {error} {str(told.get('error_description', ''))[:200]}".rstrip()
    if error in {"invalid_client", "unauthorized_client"}:
        return UpstreamUnavailableError("client", said, hint="look at `client_id`, `secret` and `authentication`")
    return UpstreamRefusedError("code", said)
