"""The tokens that let a client act for a person: made from what was granted, and from who the person is now."""

from typing import Any

from ringwall.identity.issuer.access_tokens import IssuedToken, for_login
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.grants.grant import TokenRequest
from ringwall.identity.issuer.id_tokens import make_id_token
from ringwall.identity.issuer.people import Person
from ringwall.identity.issuer.request import RequestRefusedError

OFFLINE: str = "offline_access"
"""Scope with which refresh tokens outlive the browser's session (OpenID Connect Core 1.0, section 11)."""


def invalid_grant(message: str = "the grant is not valid") -> RequestRefusedError:
    """Return the refusal of a code or token (RFC 6749, section 5.2), which tells nothing more on purpose."""
    return RequestRefusedError(400, "invalid_grant", message)


def login_claims(payload: dict[str, Any], *, session: str, grant: str) -> dict[str, Any]:
    """Return what tokens say about a sign-in: a code's or a family's payload, and what names them."""
    claims: dict[str, Any] = {"auth_time": payload["auth_time"], "acr": payload["acr"]}
    if payload["amr"]:
        claims["amr"] = payload["amr"]
    return {**claims, "sid": session, "grant_id": grant}


def make_tokens(
    context: IssuerContext,
    asked: TokenRequest,
    person: Person,
    *,
    scopes: tuple[str, ...],
    login: dict[str, Any],
    nonce: str,
) -> tuple[IssuedToken, str | None]:
    """Return an access token, and an ID token if `openid` was granted.

    An access token names the browser's session, with which it ends, unless it is to outlive it.
    """
    directory = context.directory.current()
    access = for_login(
        person,
        asked.client.client,
        scopes,
        login={name: value for name, value in login.items() if name != "sid"} if OFFLINE in scopes else login,
        directory=directory,
        clock=context.clock,
        seconds=context.settings.token_seconds,
        sign=context.keys.sign,
        confirmation=asked.confirmation,
    )
    if "openid" not in scopes:
        return access, None
    id_token = make_id_token(
        person,
        asked.client.client,
        login=login,
        nonce=nonce,
        scopes=scopes,
        access_token=access.text,
        directory=directory,
        clock=context.clock,
        sign=context.keys.sign,
    )
    return access, id_token


def binding_of(asked: TokenRequest) -> str:
    """Return what every use of a public client's refresh token must prove to hold: the key of this request, if any.

    A client that authenticates is what its refresh tokens are bound to, so it may change keys (RFC 9449, section 5;
    RFC 8705, section 4).
    """
    if not asked.client.public:
        return ""
    return ",".join(f"{name}:{value}" for name, value in sorted(asked.confirmation.items()))
