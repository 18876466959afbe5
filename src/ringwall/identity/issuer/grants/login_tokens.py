"""The tokens that let a client act for a person: made from what was granted, and from who the person is now."""

from dataclasses import dataclass
from typing import Any

from ringwall.identity.issuer.access_tokens import IssuedToken, for_login
from ringwall.identity.issuer.assurance import admits
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.encrypted_answers import id_token_for
from ringwall.identity.issuer.grants.grant import TokenAnswer, TokenRequest
from ringwall.identity.issuer.id_tokens import make_id_token
from ringwall.identity.issuer.people import Person
from ringwall.identity.issuer.request import RequestRefusedError
from ringwall.plan.client import Client

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a person's first tokens come of: a code, or what was allowed to a device.

    Attributes:
        account: who allowed it.
        session: the browser's session in which that was.
        family: names everything that comes of it.
        payload: how they had signed in, and what was granted.
    """

    account: str
    session: str
    family: str
    payload: dict[str, Any]


async def still_signed_in(context: IssuerContext, client: Client, *, session: str, account: str) -> Person:
    """Return the person, as they are now; refused once that session has ended, or they may not sign in any more.

    A client that wants to be told of the session's end will be (OpenID Connect Back-Channel Logout 1.0, section 2.1):
    that is noted before looking, so that no end is missed.
    """
    database = await context.storage.database()
    if client.backchannel_logout_uri:
        await database.logouts.join(session=session, client=client.name)
    found = await database.sessions.get(session)
    person = await context.people.find(account)
    if found is None or found.ended is not None or person is None:
        raise invalid_grant()
    return person


async def first_tokens(
    context: IssuerContext, asked: TokenRequest, person: Person, origin: Origin, *, nonce: str
) -> TokenAnswer:
    """Return the first tokens, and begin the family of refresh tokens; HandleRefusedError where that may not begin.

    The session may have ended since it was looked at, and with it the families that there were: so it is looked at once
    more when this one is among them.
    """
    database = await context.storage.database()
    scopes = tuple(origin.payload["scopes"])
    login = login_claims(origin.payload, session=origin.session, grant=origin.family)
    access, id_token = make_tokens(context, asked, person, scopes=scopes, login=login, nonce=nonce)
    started = await database.families.start(
        family=origin.family,
        client=asked.client.client.name,
        account=origin.account,
        session="" if OFFLINE in scopes else origin.session,
        payload={**origin.payload, "sid": origin.session},
        binding=binding_of(asked),
        now=context.clock.now(),
        idle_seconds=context.settings.refresh_idle_seconds,
        final_seconds=await _final_seconds(context, origin.session),
    )
    session = await database.sessions.get(origin.session)
    if session is None or session.ended is not None:
        await database.families.end(started.family.id, reason="session", now=context.clock.now())
        raise invalid_grant()
    return TokenAnswer(access=access, refresh=started.token, id_token=id_token)


async def _final_seconds(context: IssuerContext, session: str) -> float:
    """Return how long refresh tokens may be used: no longer than the sign-in is good for from which they came."""
    longest, upstreams = context.settings.refresh_final_seconds, context.directory.current().upstreams
    if not any(upstream.session_seconds for upstream in upstreams.values()):
        return longest
    found = await (await context.storage.database()).sessions.get(session)
    upstream = upstreams.get(str(found.payload.get("upstream", {}).get("name", ""))) if found is not None else None
    if found is None or upstream is None or not upstream.session_seconds:
        return longest
    ends = max(found.created, found.authenticated) + upstream.session_seconds
    return max(1.0, min(longest, ends - context.clock.now()))


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

    An access token names the browser's session, with which it ends, unless it is to outlive it. Nobody who only
    followed an invitation gets any.
    """
    if not admits(str(login["acr"])):
        raise invalid_grant()
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
        subject=context.subjects.of(asked.client.client, person.name),
        login=login,
        nonce=nonce,
        scopes=scopes,
        access_token=access.text,
        directory=directory,
        clock=context.clock,
        sign=context.keys.sign,
    )
    return access, id_token_for(asked.client.client, id_token)


def binding_of(asked: TokenRequest) -> str:
    """Return what every use of a public client's refresh token must prove to hold: the key of this request, if any.

    A client that authenticates is what its refresh tokens are bound to, so it may change keys (RFC 9449, section 5;
    RFC 8705, section 4).
    """
    if not asked.client.public:
        return ""
    return ",".join(f"{name}:{value}" for name, value in sorted(asked.confirmation.items()))
