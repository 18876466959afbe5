"""What the operator may ask about providers at which people sign in: on the administration socket."""

import asyncio
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ringwall.identity.issuer.accounts import IssuerPeople
from ringwall.identity.issuer.admin_request import read_object
from ringwall.identity.issuer.answers import answer
from ringwall.identity.issuer.directory import LiveDirectory
from ringwall.identity.issuer.request import RequestRefusedError
from ringwall.identity.keystore import KeyStore
from ringwall.identity.people.journal import OPERATOR
from ringwall.identity.upstream.identity import NoAccountError, UpstreamIdentity
from ringwall.model.clock import Clock
from ringwall.plan.upstream import TENANT, Upstream

if TYPE_CHECKING:
    from ringwall.identity.store.accounts import Account
    from ringwall.identity.upstream.linking import Linking


class UpstreamAdministration:
    """What answers; one method per endpoint."""

    def __init__(self, people: IssuerPeople, *, directory: LiveDirectory, clock: Clock, keystore: KeyStore) -> None:
        self._keystore = keystore
        self._people = people
        self._directory = directory
        self._clock = clock

    def routes(self) -> list[Route]:
        """Return the endpoints."""
        return [
            Route("/upstreams/{name}/look", self.look, methods=["POST"]),
            Route("/upstreams/{name}/links", self.link, methods=["POST"]),
            Route("/upstreams/{name}/unlink", self.unlink, methods=["POST"]),
            Route("/saml-keys/rotate", self.rotate_saml_keys, methods=["POST"]),
        ]

    async def look(self, request: Request) -> Response:
        """Say whose account somebody would get: `{"issuer", "subject", "claims"}`. Nothing is verified or changed."""
        asked = await read_object(request, {"issuer": str, "subject": str, "claims": dict})
        identity = UpstreamIdentity(
            issuer=asked.get("issuer", ""), subject=asked.get("subject", ""), claims=asked.get("claims", {})
        )
        outcome = await (await self._linking()).look(self._named(request), identity)
        told: dict[str, object] = {"how": outcome.how}
        if outcome.refused is not None:
            told["refused"] = outcome.refused.message
        if outcome.account is not None:
            given = set(outcome.link.payload.get("roles", ())) if outcome.link is not None else set()
            stays = sorted(set(outcome.account.roles) - given)
            told |= {"user_name": outcome.account.user_name, "id": outcome.account.id, "stays": stays}
        return answer(told)

    async def link(self, request: Request) -> Response:
        """Link somebody to an account by hand: `{"user_name", "subject", "issuer"?}`."""
        upstream = self._named(request)
        asked = await read_object(request, {"user_name": str, "subject": str, "issuer": str})
        account = await self._account(asked.get("user_name", ""))
        issuer = asked.get("issuer") or _issuer(upstream)
        try:
            await (await self._linking()).link(
                upstream, account, issuer=issuer, subject=asked.get("subject", ""), by=OPERATOR
            )
        except NoAccountError as error:
            raise RequestRefusedError(409, "invalid_request", error.message) from None
        return answer({"user_name": account.user_name, "issuer": issuer})

    async def unlink(self, request: Request) -> Response:
        """Part an account from everybody of a provider: `{"user_name"}`. Answers with how many that were."""
        upstream = self._named(request)
        asked = await read_object(request, {"user_name": str})
        account = await self._account(asked.get("user_name", ""))
        count = await (await self._linking()).unlink(upstream, account, by=OPERATOR)
        return answer({"user_name": account.user_name, "unlinked": count})

    async def rotate_saml_keys(self, request: Request) -> Response:
        """Announce the next keys, or let announced ones take over: `{"compromised"?: true}` drops every key instead."""
        from ringwall.identity.upstream.saml.keys import SamlKeys  # noqa: PLC0415  # not on the way to a start

        compromised = bool((await read_object(request, {"compromised": bool})).get("compromised"))
        keys = SamlKeys(self._keystore, self._clock)
        ring = await asyncio.to_thread(lambda: keys.rotate(compromised=compromised))
        await (await self._people.services()).journal.note(
            "saml-keys-rotated", by=OPERATOR, compromised=compromised, announced=ring.following is not None
        )
        hint = "Let the providers read our metadata"
        if ring.following is not None:
            hint += ", and call this again"
        return answer({"keys": ring.fingerprints(), "hint": hint})

    def _named(self, request: Request) -> Upstream:
        upstream = self._directory.current().upstreams.get(request.path_params["name"])
        if upstream is None:
            raise RequestRefusedError(404, "not_found", "the plan in force has no such provider")
        return upstream

    async def _account(self, user_name: str) -> "Account":
        return await (await self._people.services()).accounts.named(user_name)

    async def _linking(self) -> "Linking":
        from ringwall.identity.upstream.linking import Linking  # noqa: PLC0415  # not on the way to a start

        services = await self._people.services()
        return Linking(services.database, services.journal, self._clock, accounts=services.accounts)


def _issuer(upstream: Upstream) -> str:
    """Return the one issuer that a provider has."""
    issuer = upstream.oidc.issuer if upstream.oidc is not None else ""
    if TENANT in issuer and len(upstream.tenants) == 1:
        return issuer.replace(TENANT, upstream.tenants[0])
    if not issuer or TENANT in issuer:
        raise RequestRefusedError(400, "invalid_request", "the provider has several issuers: say which one is meant")
    return issuer
