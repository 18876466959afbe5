"""Sessions of people, what clients may do for them, and what they have consented to."""

from typing import Final

from starlette.responses import Response

from ringwall.identity.issuer.administration import schemas
from ringwall.identity.issuer.administration.escalation import Escalation
from ringwall.identity.issuer.administration.noting import note
from ringwall.identity.issuer.administration.people import account_of, told_grant, told_session
from ringwall.identity.issuer.administration.problems import ProblemError, missing
from ringwall.identity.issuer.administration.reading import (
    MAX_PAGE,
    after_of,
    limit_of,
    next_of,
    query,
    tell,
)
from ringwall.identity.issuer.administration.routes import Asked, Handler
from ringwall.identity.issuer.context import IssuerContext

_SKEW_SECONDS: Final = 120.0


class SessionAdministration:
    """What answers; one method per operation."""

    def __init__(self, context: IssuerContext, escalation: Escalation) -> None:
        self._context = context
        self._escalation = escalation

    def handlers(self) -> dict[str, Handler]:
        """Return the operations."""
        return {
            "sessions.list": self.page,
            "sessions.read": self.show,
            "sessions.end": self.end,
            "grants.list": self.grants,
            "grants.end": self.end_grant,
            "consents.list": self.consents,
            "consents.withdraw": self.withdraw,
        }

    async def page(self, asked: Asked) -> Response:
        """Answer with living sessions: of one user the newest first, else of all in the order of their ids."""
        parameters = query(asked, "after", "limit", "user")
        sessions, now = (await self._context.storage.database()).sessions, self._context.clock.now()
        if "user" in parameters:
            of_one = await sessions.of_account(parameters["user"], now=now, limit=MAX_PAGE)
            return tell(schemas.Sessions(sessions=[told_session(each) for each in of_one]))
        limit = limit_of(parameters)
        found = await sessions.page(now=now, after=after_of(parameters), limit=limit)
        following = next_of(found, limit, lambda last: last.id)
        return tell(schemas.Sessions(sessions=[told_session(each) for each in found], next=following))

    async def show(self, asked: Asked) -> Response:
        """Answer with one living session."""
        found = await (await self._context.storage.database()).sessions.get(asked.named("session"))
        if found is None or found.ended is not None or found.expires <= self._context.clock.now():
            raise missing("session")
        return tell(told_session(found))

    async def end(self, asked: Asked) -> Response:
        """End a session with all that came of it."""
        database, now = await self._context.storage.database(), self._context.clock.now()
        found = await database.sessions.get(asked.named("session"))
        if found is None:
            raise missing("session")
        await self._require_rank(asked, found.account)
        reason = f"ended by {asked.actor.name}"
        ended = await database.endings.session(found.id, reason=reason, now=now, expires=self._expires(now))
        if ended is None:
            raise missing("session")
        await note(self._context, asked, "session-ended", found.account, session=found.id)
        return tell(schemas.Ended(sessions=1, grants=len(ended)))

    async def grants(self, asked: Asked) -> Response:
        """Answer with what clients may do: for one `user`, the newest first; or what one `client` may, by id."""
        parameters = query(asked, "after", "limit", "user", "client")
        families, now = (await self._context.storage.database()).families, self._context.clock.now()
        if ("user" in parameters) is ("client" in parameters):
            raise ProblemError(400, "bad-request", "say either `user` or `client`")
        if "user" in parameters:
            of_one = await families.of_account(parameters["user"], now=now, limit=MAX_PAGE)
            return tell(schemas.Grants(grants=[told_grant(each) for each in of_one]))
        limit = limit_of(parameters)
        found = await families.of_client(parameters["client"], now=now, after=after_of(parameters), limit=limit)
        following = next_of(found, limit, lambda last: last.id)
        return tell(schemas.Grants(grants=[told_grant(each) for each in found], next=following))

    async def end_grant(self, asked: Asked) -> Response:
        """End what one client may do for one person."""
        database, now = await self._context.storage.database(), self._context.clock.now()
        found = await database.families.get(asked.named("grant"))
        if found is None:
            raise missing("grant")
        await self._require_rank(asked, found.account)
        reason = f"ended by {asked.actor.name}"
        if not await database.endings.family(found.id, reason=reason, now=now, expires=self._expires(now)):
            raise missing("grant")
        await note(self._context, asked, "grant-ended", found.account, grant=found.id, client=found.client)
        return tell(schemas.Ended(sessions=0, grants=1))

    async def consents(self, asked: Asked) -> Response:
        """Answer with what a person has let clients do."""
        account = await account_of(self._context, asked)
        found = await (await self._context.storage.database()).consents.of_account(account.id)
        return tell(
            schemas.Consents(
                consents=[
                    schemas.Consent(client=each.client, scopes=list(each.scopes), granted=each.granted)
                    for each in found
                ]
            )
        )

    async def withdraw(self, asked: Asked) -> Response:
        """Withdraw a person's consent, and end what the client may do for them."""
        account, client = await account_of(self._context, asked), asked.named("client")
        self._escalation.require_rank(asked.actor, account.id, account.effective_roles)
        database, now = await self._context.storage.database(), self._context.clock.now()
        if not await database.consents.withdraw(account=account.id, client=client):
            raise missing("consent")
        reason = f"consent withdrawn by {asked.actor.name}"
        ended = await database.families.end_account(account.id, client=client, reason=reason, now=now)
        for family in ended:
            await self._revoke("family", family, reason)
        await note(self._context, asked, "consent-withdrawn", account.id, client=client)
        return tell(schemas.Ended(sessions=0, grants=len(ended)))

    async def _require_rank(self, asked: Asked, subject: str) -> None:
        person = await self._context.people.find(subject) if subject else None
        self._escalation.require_rank(asked.actor, subject, person.roles if person is not None else ())

    async def _revoke(self, kind: str, subject: str, reason: str) -> None:
        now = self._context.clock.now()
        revocations = (await self._context.storage.database()).revocations
        await revocations.add(kind, subject, reason=reason, now=now, expires=self._expires(now))

    def _expires(self, now: float) -> float:
        return now + self._context.settings.token_seconds + _SKEW_SECONDS
