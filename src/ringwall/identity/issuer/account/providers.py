"""Connecting an account with somebody at a provider of others, and disconnecting it.

Who is connected can sign in there from then on, so it is asked for a fresh sign-in, and shown before it is done: a
browser may be signed in there as somebody else, also because others have seen to that.
"""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.account.door import FORM_SECONDS, Door, Here, Holder
from ringwall.identity.issuer.upstream_departures import Departures
from ringwall.identity.issuer.upstream_sources import UpstreamSources
from ringwall.identity.people.errors import AccountError
from ringwall.identity.store.errors import HandleRefusedError
from ringwall.identity.store.origins import Origin
from ringwall.identity.upstream.identity import NoAccountError, UpstreamError, UpstreamIdentity
from ringwall.identity.upstream.source import Wish
from ringwall.model.secret import Secret
from ringwall.plan.upstream import Upstream

if TYPE_CHECKING:
    from ringwall.identity.upstream.linking import Linking

CONNECT: Final = "connect-provider"
DISCONNECT: Final = "disconnect-provider"
_SECONDS: Final = 600.0
_NO_WAY: Final = "There is no such way to sign in."

_log = logging.getLogger(__name__)


class AccountProviders:
    """Takes somebody to a provider and back, and connects their account with who they are there."""

    def __init__(self, door: Door, *, sources: UpstreamSources, departures: Departures) -> None:
        self._door = door
        self._sources = sources
        self._departures = departures

    async def begin(self, request: Request) -> Response:
        """Show what will happen, with a link to the provider; nothing is connected yet."""
        upstream = self._sources.named(request)
        if upstream is None:
            return self._door.error(_NO_WAY, 404)
        here = await self._door.holder(request, "account")
        if isinstance(here, Response):
            return here
        wish = Wish(
            return_to=self._sources.address(upstream, "callback"), now=self._door.context.clock.now(), choose=True
        )
        try:
            begun = await self._sources.of(upstream).begin(wish)
        except UpstreamError as error:
            return self._failed(upstream, error)
        location, cookie = await self._departures.keep(
            request, upstream, begun, {"account": here.subject, "session": here.session.id}
        )
        shown = self._door.pages.show("account_provider", title=upstream.title, location=location)
        return self._departures.mark(shown, cookie)

    async def finish(
        self, request: Request, upstream: Upstream, kept: Mapping[str, Any], answer: Mapping[str, str]
    ) -> Response:
        """Take what the browser brings back, and ask whether that is who they mean.

        1. The session is the one that began. 2. The provider has signed somebody in for this. 3. They are of a tenant
        whose people may sign in. 4. Who they are is kept for this session alone, until it says yes.
        """
        here = await self._door.holder(request, "account", within=FORM_SECONDS)
        if isinstance(here, Response):
            return here
        if (here.subject, here.session.id) != (kept["account"], kept["session"]):  # 1
            return self._door.error("You have signed in as somebody else meanwhile. Start again from your account.")
        now = self._door.context.clock.now()
        try:
            identity = await self._sources.of(upstream).finish(kept["kept"], answer, now=now)  # 2
            named = _named(upstream, identity)  # 3
        except UpstreamError as error:
            return self._failed(upstream, error)
        interactions = here.services.database.interactions
        token = await interactions.put(  # 4
            owner=_owner(here),
            payload={"upstream": upstream.name, "issuer": identity.issuer, "subject": identity.subject},
            now=now,
            seconds=_SECONDS,
        )
        return self._door.pages.show(
            "account_provider_confirm",
            title=upstream.title,
            named=named,
            user_name=here.account.user_name,
            form_token=self._door.token(here, CONNECT),
            connection=token.reveal().decode("ascii"),
        )

    async def connect(self, request: Request) -> Response:
        """Connect the account with whom the page has shown, if nobody's account is yet."""
        here = await self._door.holder(request, "account", within=FORM_SECONDS)
        if isinstance(here, Response):
            return here
        form = await self._door.form(request, CONNECT)
        now = self._door.context.clock.now()
        try:
            interactions = here.services.database.interactions
            taken = await interactions.take(Secret(form.get("connection", "")), owner=_owner(here), now=now)
        except HandleRefusedError:
            return self._door.to("/account", done="gone")
        upstream = self._sources.find(str(taken.payload["upstream"]))
        if upstream is None:
            return self._door.error(_NO_WAY, 404)
        issuer, subject = str(taken.payload["issuer"]), str(taken.payload["subject"])
        try:
            await self._linking(here).link(upstream, here.account, issuer=issuer, subject=subject, by=here.subject)
        except NoAccountError:
            return self._door.to("/account", done="provider-taken")
        return self._door.to("/account", done="provider")

    async def disconnect(self, request: Request) -> Response:
        """Disconnect a provider, where there is another way to sign in; its sessions in other browsers end.

        What the provider has given to the account goes with it.
        """
        here = await self._door.holder(request, "account", within=FORM_SECONDS)
        if isinstance(here, Response):
            return here
        form = await self._door.form(request, DISCONNECT)
        upstream = self._sources.find(form.get("provider", ""))
        links = await here.services.database.links.of_account(here.subject)
        ending = [link for link in links if upstream is not None and link.upstream == upstream.name]
        if upstream is None or not ending:
            return self._door.to("/account", done="gone")
        others = [link for link in links if link not in ending and self._sources.find(link.upstream) is not None]
        if not others and (await here.services.credentials.overview(here.subject)).alone == 0:
            return self._door.to("/account", done="only-way")
        await self._linking(here).unlink(upstream, here.account, by=here.subject)
        now = self._door.context.clock.now()
        for link in ending:
            origin = Origin(issuer=link.issuer, person=link.subject)
            for session in await here.services.database.sessions.of_origin(origin, now=now):
                if session.id != here.session.id and session.account == here.subject:
                    await self._end(here, session.id)
        return self._door.to("/account", done="provider-gone")

    async def shown(self, here: Here) -> dict[str, Any]:
        """Return what the account's page tells of providers."""
        upstreams = self._door.context.directory.current().upstreams.values()
        linked = {link.upstream for link in await here.services.database.links.of_account(here.subject)}
        return {
            "providers": [{"name": each.name, "title": each.title, "linked": each.name in linked} for each in upstreams]
        }

    async def _end(self, here: Holder, session: str) -> None:
        try:
            await here.services.endings.session(here.subject, session, by=here.subject)
        except AccountError:
            return  # over meanwhile

    def _failed(self, upstream: Upstream, error: UpstreamError) -> Response:
        _log.warning("no account connected with %s: %s (%s)", upstream.name, error.message, error.hint or error.reason)
        return self._door.error(f"{upstream.title} did not say who you are. Your account is as it was.", 403)

    def _linking(self, here: Holder) -> "Linking":
        from ringwall.identity.upstream.linking import Linking  # noqa: PLC0415  # not on the way to a start

        services, clock = here.services, self._door.context.clock
        return Linking(services.database, services.journal, clock, accounts=services.accounts)


def _owner(here: Holder) -> str:
    return f"connect {here.session.id}"


def _named(upstream: Upstream, identity: UpstreamIdentity) -> str:
    """Return what people know themselves by there; NoAccountError for somebody who may not sign in here."""
    from ringwall.identity.upstream.mapping import map_claims, tenant_allowed  # noqa: PLC0415  # as above

    if not tenant_allowed(upstream, identity.claims):
        raise NoAccountError("tenant", "they are of none of the tenants whose people may sign in")
    mapped = map_claims(upstream, identity.claims)
    return mapped.email or mapped.user_name or mapped.display_name or identity.subject
