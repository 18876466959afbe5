"""The browser's session at the issuer: one sign-in for all clients (OpenID Connect Core 1.0, section 3.1.2.3).

The cookie is a random handle of which the database knows only the hash.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.assurance import Proof
from ringwall.identity.issuer.host_cookies import SESSION, clear_cookie, read_cookie, write_cookie
from ringwall.identity.issuer.oauth.visitor import visitor_of
from ringwall.identity.issuer.standing import SKEW_SECONDS
from ringwall.identity.issuer.storage import Storage
from ringwall.identity.issuer.user_agents import browser_named
from ringwall.model.clock import Clock
from ringwall.model.cookies import TOKEN
from ringwall.model.secret import Secret

IDLE_SECONDS: Final = 8 * 3600.0
FINAL_SECONDS: Final = 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserSession:
    """Somebody who is signed in, in the browser that asks.

    Attributes:
        id: `sid`.
        subject: `sub`.
        authenticated: `auth_time`, seconds since the epoch.
        acr: how sure the issuer is.
        amr: how they proved who they are.
        handle: the cookie's value.
        upstream: as in `Proof`.
    """

    id: str
    subject: str
    authenticated: float
    acr: str
    amr: tuple[str, ...]
    handle: Secret
    upstream: Mapping[str, Any] = field(default_factory=dict, repr=False)


class BrowserSessions:
    """Starts, finds and ends sessions."""

    def __init__(self, *, storage: Storage, clock: Clock, token_seconds: float) -> None:
        self._storage = storage
        self._clock = clock
        self._token_seconds = token_seconds

    async def current(self, request: Request) -> BrowserSession | None:
        """Return the session of the request's cookie; None where it opens nothing."""
        value = read_cookie(request, SESSION)
        if value is None:
            return None
        sessions = (await self._storage.database()).sessions
        handle = Secret(value)
        found = await sessions.touch(handle, now=self._clock.now(), idle_seconds=IDLE_SECONDS)
        if found is None:
            return None
        return BrowserSession(
            id=found.id,
            subject=found.account,
            authenticated=found.authenticated,
            acr=str(found.payload["acr"]),
            amr=tuple(found.payload["amr"]),
            handle=handle,
            upstream=found.payload.get("upstream", {}),
        )

    async def start(self, request: Request, proof: Proof) -> BrowserSession:
        """Begin a session for somebody who has just proven who they are, under a fresh handle.

        The same person goes on with the session that there was, so that it can be ended as one; anybody else's ends.
        What the browser is called and where it is are for the person's list of sessions.
        """
        former = await self.current(request)
        database = await self._storage.database()
        now = self._clock.now()
        at = now if proof.authenticated is None else min(proof.authenticated, now)
        payload: dict[str, Any] = {
            "acr": proof.acr,
            "amr": list(proof.amr),
            "browser": browser_named(request.headers.get("user-agent", "")),
            "address": visitor_of(request).source,
        }
        final = FINAL_SECONDS if proof.lasts is None else min(FINAL_SECONDS, proof.lasts)
        upstream = proof.upstream
        if former is not None and former.subject == proof.subject:
            upstream = upstream or former.upstream
        if upstream:
            payload["upstream"] = dict(upstream)
        if former is not None and former.subject == proof.subject:
            renewed = await database.sessions.renew(
                former.handle,
                payload=payload,
                now=now,
                authenticated=at,
                idle_seconds=IDLE_SECONDS,
                origin=proof.origin,
                final_seconds=final,
            )
            if renewed is not None:
                return _of(proof, renewed[0], renewed[1].id, at)
        elif former is not None:
            await self.end(former.id, reason="other-person")
        handle, made = await database.sessions.start(
            account=proof.subject,
            payload=payload,
            now=now,
            authenticated=at,
            idle_seconds=IDLE_SECONDS,
            final_seconds=final,
            origin=proof.origin,
        )
        return _of(proof, handle, made.id, at)

    async def end(self, session: str, *, reason: str) -> None:
        """End a session, and every token that came from it, but those that were to outlive it."""
        database = await self._storage.database()
        now = self._clock.now()
        expires = now + self._token_seconds + SKEW_SECONDS
        await database.endings.session(session, reason=reason, now=now, expires=expires)


def set_cookie(response: Response, session: BrowserSession) -> None:
    """Give the browser its session."""
    write_cookie(response, SESSION, session.handle.reveal().decode("ascii"))


def clear_session(response: Response) -> None:
    """Take the browser's sessions away, here and at the edge, and what it keeps of their pages.

    Browsers may keep pages for going back to, even those that are never to be stored; this drops them (W3C Clear Site
    Data, section 3.1).
    """
    clear_cookie(response, SESSION)
    clear_cookie(response, TOKEN)
    response.headers["clear-site-data"] = '"cache"'


def _of(proof: Proof, handle: Secret, identifier: str, at: float) -> BrowserSession:
    return BrowserSession(
        id=identifier,
        subject=proof.subject,
        authenticated=at,
        acr=proof.acr,
        amr=proof.amr,
        handle=handle,
        upstream=proof.upstream,
    )
