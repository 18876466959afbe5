"""Invitations: links by which somebody new gets an account, or somebody known begins anew."""

from typing import Any, Final

from starlette.responses import Response

from ringwall.identity.issuer.administration import bodies, schemas
from ringwall.identity.issuer.administration.escalation import Escalation
from ringwall.identity.issuer.administration.people import account_of, known_roles, profile_of, require_profile
from ringwall.identity.issuer.administration.problems import missing
from ringwall.identity.issuer.administration.reading import read, tell
from ringwall.identity.issuer.administration.routes import Asked, Handler
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.people.errors import InvitationRefusedError

_HOUR: Final = 3600.0


class InvitationAdministration:
    """What answers; one method per operation."""

    def __init__(self, context: IssuerContext, escalation: Escalation) -> None:
        self._context = context
        self._escalation = escalation

    def handlers(self) -> dict[str, Handler]:
        """Return the operations."""
        return {
            "users.invite": self.invite,
            "users.reset": self.reset,
            "invitations.list": self.pending,
            "invitations.withdraw": self.withdraw,
        }

    async def invite(self, asked: Asked) -> Response:
        """Invite somebody new; answers with the link, once."""
        wanted = await read(asked, bodies.Invite)
        profile = profile_of(wanted, known_roles(self._context, wanted.roles))
        services = await self._context.people.services()
        for group in profile.groups:
            await services.groups.named(group)
        await require_profile(self._context, self._escalation, asked, profile)
        invited = await services.invitations.invite(profile, by=asked.actor.name, **_lasting(wanted.hours))
        return _link(invited)

    async def reset(self, asked: Asked) -> Response:
        """Invite a person to set new credentials in place of all they have; answers with the link, once."""
        wanted = await read(asked, bodies.Reset)
        account = await account_of(self._context, asked)
        self._escalation.require_rank(asked.actor, account.id, account.effective_roles)
        if account.id != asked.actor.name:  # who holds the link becomes this person
            self._escalation.require_giving(asked.actor, account.effective_roles, user=account.id)
        invitations = (await self._context.people.services()).invitations
        return _link(await invitations.invite_anew(account.id, by=asked.actor.name, **_lasting(wanted.hours)))

    async def pending(self, _: Asked) -> Response:
        """Answer with the invitations that wait; their links cannot be seen again."""
        waiting = await (await self._context.people.services()).invitations.pending()
        found = [
            schemas.Invitation(
                id=each.id,
                user_name=each.profile.user_name,
                roles=list(each.profile.roles),
                anew=bool(each.account),
                by=each.by,
                expires=each.expires,
            )
            for each in waiting
        ]
        return tell(schemas.Invitations(invitations=found))

    async def withdraw(self, asked: Asked) -> Response:
        """Make an invitation useless."""
        invitations = (await self._context.people.services()).invitations
        try:
            await invitations.withdraw(asked.named("invitation"), by=asked.actor.name)
        except InvitationRefusedError:
            raise missing("invitation") from None
        return tell(schemas.Nothing())


def _lasting(hours: int | None) -> dict[str, float]:
    return {"seconds": hours * _HOUR} if hours is not None else {}


def _link(invited: Any) -> Response:
    return tell(schemas.Link(id=invited.id, link=invited.link.reveal().decode(), expires=invited.expires))
