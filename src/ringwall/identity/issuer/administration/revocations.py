"""What every proxy refuses: the control plane keeps the list, and is asked here on behalf of whoever administers."""

from typing import Any, Final

from starlette.responses import Response

from ringwall.identity.issuer.administration import bodies, schemas
from ringwall.identity.issuer.administration.escalation import Escalation
from ringwall.identity.issuer.administration.noting import note
from ringwall.identity.issuer.administration.problems import ProblemError, missing
from ringwall.identity.issuer.administration.reading import read, tell
from ringwall.identity.issuer.administration.routes import Asked, Handler
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.revocation_feed import FeedError, FeedRefusedError, ask_control_plane
from ringwall.model.revocation import Revoked

_REFUSED: Final = 400


class RevocationAdministration:
    """What answers; one method per operation."""

    def __init__(self, context: IssuerContext, escalation: Escalation) -> None:
        self._context = context
        self._escalation = escalation

    def handlers(self) -> dict[str, Handler]:
        """Return the operations."""
        return {"revocations.list": self.page, "revocations.add": self.add, "revocations.lift": self.lift}

    async def page(self, _: Asked) -> Response:
        """Answer with everything that is revoked now."""
        return _answer((await self._ask("revocations"))["revoked"])

    async def add(self, asked: Asked) -> Response:
        """Revoke something of a kind by its name, as `ringwall revoke` does."""
        wanted = await read(asked, bodies.Revoke)
        kind, name = self._named(asked)
        await self._require_rank(asked, kind, name)
        if kind is Revoked.USER:
            account = await (await self._context.storage.database()).accounts.get(name)
            async with self._escalation.sparing_one(asked.actor, [account] if account is not None else []):
                return await self._add(asked, kind, name, wanted.seconds)
        return await self._add(asked, kind, name, wanted.seconds)

    async def _add(self, asked: Asked, kind: Revoked, name: str, seconds: float) -> Response:
        done = await self._ask("revoke", kind=kind.value, value=name, lasts=seconds)
        await note(self._context, asked, "revoked", name, what=kind.value)
        return _answer(done["revoked"])

    async def lift(self, asked: Asked) -> Response:
        """Let something be believed again."""
        kind, name = self._named(asked)
        await self._require_rank(asked, kind, name)
        try:
            done = await self._ask("restore", kind=kind.value, value=name)
        except ProblemError as problem:
            raise (missing("revocation") if problem.status == _REFUSED else problem) from None
        await note(self._context, asked, "revocation-lifted", name, what=kind.value)
        return _answer(done["lifted"])

    def _named(self, asked: Asked) -> tuple[Revoked, str]:
        kind = asked.named("kind")
        if kind not in set(Revoked):
            raise ProblemError(400, "bad-request", f"there is no kind {kind[:80]!r}", hint=f"of {', '.join(Revoked)}")
        return Revoked(kind), asked.named("name")

    async def _require_rank(self, asked: Asked, kind: Revoked, name: str) -> None:
        database = await self._context.storage.database()
        if kind is Revoked.SESSION and (session := await database.sessions.get(name)) is not None:
            kind, name = Revoked.USER, session.account
        elif kind is Revoked.GRANT and (grant := await database.families.get(name)) is not None:
            kind, name = Revoked.USER, grant.account
        if kind is Revoked.USER and (person := await self._context.people.find(name)) is not None:
            self._escalation.require_rank(asked.actor, name, person.roles)
        client = self._context.directory.current().clients.get(name) if kind is Revoked.CLIENT else None
        if client is not None:
            self._escalation.require_rank(asked.actor, name, client.roles)

    async def _ask(self, do: str, **about: Any) -> dict[str, Any]:
        try:
            return await ask_control_plane(self._context.settings.bindings.admin, {"do": do, **about})
        except FeedRefusedError as error:
            raise ProblemError(_REFUSED, "refused", error.message) from None
        except FeedError as error:
            raise ProblemError(503, "unavailable", error.message, headers={"retry-after": "5"}) from None


def _answer(entries: list[dict[str, Any]]) -> Response:
    return tell(schemas.Revocations(revocations=[schemas.Revocation.model_validate(each) for each in entries]))
