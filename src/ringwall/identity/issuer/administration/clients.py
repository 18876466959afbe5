"""Clients of the plan and those that have registered themselves, and their secrets, of which only ages are told."""

from itertools import islice
from typing import TYPE_CHECKING

from starlette.responses import Response

from ringwall.identity.issuer.administration import schemas
from ringwall.identity.issuer.administration.escalation import NEW, Escalation
from ringwall.identity.issuer.administration.noting import note
from ringwall.identity.issuer.administration.problems import ProblemError, missing
from ringwall.identity.issuer.administration.reading import cursor_of, limit_of, place_of, query, tell
from ringwall.identity.issuer.administration.routes import Asked, Handler
from ringwall.identity.issuer.client_secrets import (
    UnknownClientError,
    client_secrets,
    create_client_secret,
    revoke_client_secrets,
)
from ringwall.identity.issuer.clients.registry import ClientRegistry
from ringwall.identity.issuer.context import IssuerContext
from ringwall.plan.client import Client

if TYPE_CHECKING:
    from ringwall.identity.store.clients import RegisteredClient


class ClientAdministration:
    """What answers; one method per operation."""

    def __init__(self, context: IssuerContext, escalation: Escalation) -> None:
        self._context = context
        self._escalation = escalation

    def handlers(self) -> dict[str, Handler]:
        """Return the operations."""
        return {
            "clients.list": self.page,
            "clients.read": self.show,
            "clients.delete": self.delete,
            "clients.sign-out": self.end_grants,
            "secrets.list": self.secrets,
            "secrets.make": self.make_secret,
            "secrets.end": self.end_secrets,
        }

    async def page(self, asked: Asked) -> Response:
        """Answer with the clients of the plan by name, then with the registered ones by id."""
        parameters = query(asked, "after", "limit")
        limit = limit_of(parameters)
        kind, after = place_of(parameters, str, str) or ("plan", "")
        found: list[tuple[str, schemas.Client]] = []
        if kind == "plan":
            clients = self._context.directory.current().clients
            ours = (clients[name] for name in sorted(clients) if name > after)
            found += [("plan", _told(client)) for client in islice(ours, limit)]
        if len(found) < limit:
            registered = (await self._context.storage.database()).clients
            begin = after if kind == "registered" else ""
            found += [
                ("registered", _told_registered(client))
                for client in await registered.page(after=begin, limit=limit - len(found))
            ]
        following = cursor_of(found[-1][0], found[-1][1].name) if len(found) == limit else None
        return tell(schemas.Clients(clients=[client for _, client in found], next=following))

    async def show(self, asked: Asked) -> Response:
        """Answer with one client."""
        name = asked.named("client")
        if (client := self._context.directory.current().clients.get(name)) is not None:
            return tell(_told(client))
        if (registered := await (await self._context.storage.database()).clients.get(name)) is not None:
            return tell(_told_registered(registered), version=registered.version)
        raise missing("client")

    async def delete(self, asked: Asked) -> Response:
        """Delete a client that has registered itself, and end what it may do."""
        name = asked.named("client")
        if name in self._context.directory.current().clients:
            raise ProblemError(409, "of-the-plan", "the blueprint declares this client", hint="remove it there")
        registered = await (await self._context.storage.database()).clients.get(name)
        if registered is None or not await ClientRegistry(self._context).end(registered):
            raise missing("client")
        await note(self._context, asked, "client-deleted", name)
        return tell(schemas.Nothing())

    async def end_grants(self, asked: Asked) -> Response:
        """End what a client may do for people, all of it."""
        name = asked.named("client")
        known = name in self._context.directory.current().clients
        if not known and await (await self._context.storage.database()).clients.get(name) is None:
            raise missing("client")
        ended = await self._end_grants(asked, name)
        await note(self._context, asked, "client-signed-out", name, grants=ended)
        return tell(schemas.Ended(sessions=0, grants=ended))

    async def secrets(self, asked: Asked) -> Response:
        """Answer with when the secrets of a client that work were made; only hashes of them are kept."""
        name = self._of_plan(asked).name
        made = client_secrets(self._context.settings.clients_file, name)
        return tell(schemas.Secrets(secrets=[schemas.ClientSecret(created=each) for each in made]))

    async def make_secret(self, asked: Asked) -> Response:
        """Make a secret, which is told this once; whoever has it has the client's roles."""
        client, directory = self._of_plan(asked), self._context.directory.current()
        self._escalation.require_rank(asked.actor, client.name, client.roles)
        self._escalation.require_giving(asked.actor, client.roles, user=NEW)
        file = self._context.settings.clients_file
        try:
            secret = create_client_secret(file, client.name, directory=directory, clock=self._context.clock)
        except UnknownClientError as error:
            raise ProblemError(409, "no-secret", error.message, hint=error.hint) from None
        await note(self._context, asked, "secret-made", client.name)
        return tell(
            schemas.NewSecret(
                client=client.name, secret=secret.reveal().decode(), token_endpoint=f"{directory.issuer}/token"
            )
        )

    async def end_secrets(self, asked: Asked) -> Response:
        """End every secret of a client."""
        client = self._of_plan(asked)
        self._escalation.require_rank(asked.actor, client.name, client.roles)
        ended = revoke_client_secrets(self._context.settings.clients_file, client.name)
        await note(self._context, asked, "secrets-ended", client.name, count=ended)
        return tell(schemas.SecretsEnded(ended=ended))

    def _of_plan(self, asked: Asked) -> Client:
        found = self._context.directory.current().clients.get(asked.named("client"))
        if found is None:
            there = ", ".join(sorted(self._context.directory.current().clients)[:20]) or "none"
            raise ProblemError(404, "not-found", "there is no such client in the plan", hint=f"its clients: {there}")
        return found

    async def _end_grants(self, asked: Asked, client: str) -> int:
        database, now = await self._context.storage.database(), self._context.clock.now()
        reason = f"ended by {asked.actor.name}"
        ended = await database.families.end_client(client, reason=reason, now=now)
        expires = now + self._context.settings.token_seconds + 120
        for family in ended:
            await database.revocations.add("family", family, reason=reason, now=now, expires=expires)
        await database.revocations.add("client", client, reason=reason, now=now, expires=expires)
        return len(ended)


def _told(client: Client) -> schemas.Client:
    return schemas.Client(
        name=client.name,
        title=client.title or client.name,
        kind=client.kind.value,
        registered=False,
        roles=list(client.roles),
        scopes=list(client.scopes),
        redirect_uris=list(client.redirect_uris),
    )


def _told_registered(client: "RegisteredClient") -> schemas.Client:
    """Return what a registered client says of itself; of its metadata these members alone."""
    uris = client.payload.get("redirect_uris", [])
    return schemas.Client(
        name=client.id,
        title=str(client.payload.get("client_name", client.id)),
        kind=str(client.payload.get("application_type", "web")),
        registered=True,
        roles=[],
        scopes=str(client.payload.get("scope", "")).split(),
        redirect_uris=[str(uri) for uri in uris] if isinstance(uris, list) else [],
        created=client.created,
    )
