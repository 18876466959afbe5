"""What the endpoints work with, as the plan in force makes it: types, users and groups for whoever asks."""

from functools import partial
from typing import TYPE_CHECKING, Final

from ringwall.identity.issuer.administration.escalation import Escalation
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.scim.attributes import ResourceType, user_type
from ringwall.identity.issuer.scim.caller import Caller
from ringwall.plan.identity import ClaimType

if TYPE_CHECKING:
    from ringwall.identity.issuer.scim.group_provisioning import GroupProvisioning
    from ringwall.identity.issuer.scim.user_provisioning import UserProvisioning

PREFIX: Final = "/scim/v2"


class Provisioning:
    """Users and groups; what needs the database is loaded when it is first asked for."""

    def __init__(self, context: IssuerContext, escalation: Escalation) -> None:
        self._context = context
        self._escalation = escalation

    @property
    def base(self) -> str:
        """The URL below which the endpoints are."""
        return self._context.directory.current().issuer + PREFIX

    def user_type(self) -> ResourceType:
        """Return what there is of users."""
        directory = self._context.directory.current()
        texts = (name for name, kind in directory.claim_types.items() if kind is ClaimType.STRING)
        return user_type(roles=directory.roles, claims=texts)

    async def users(self, caller: Caller) -> "UserProvisioning":
        """Return the users, for whoever asks."""
        from ringwall.identity.issuer.scim.user_provisioning import (  # noqa: PLC0415  # not on the way to a start
            UserProvisioning,
        )
        from ringwall.identity.issuer.scim.users import UserForm  # noqa: PLC0415  # as above

        of = self.user_type()
        form = UserForm(of, base=self.base, known=self._context.directory.current().roles)
        services = await self._context.people.services()
        spare = partial(self._escalation.sparing_one, caller.actor)
        return UserProvisioning(services, of=of, form=form, caller=caller, clock=self._context.clock, spare=spare)

    async def groups(self, caller: Caller, *, members: bool) -> "GroupProvisioning":
        """Return the groups, for whoever asks; answers hold their members, or not."""
        from ringwall.identity.issuer.scim.group_provisioning import (  # noqa: PLC0415  # not on the way to a start
            GroupProvisioning,
        )

        services = await self._context.people.services()
        spare = partial(self._escalation.sparing_one, caller.actor)
        return GroupProvisioning(services, base=self.base, caller=caller, members=members, spare=spare)

    def require(self, caller: Caller, name: str, path: str) -> None:
        """Raise ProblemError unless the policies let whoever asks do an operation that is a part of the one asked."""
        self._escalation.require(caller.actor, name, path)

    async def powers(self, caller: Caller) -> frozenset[str] | None:
        """Return the roles that whoever asks has at this moment; None for nobody any more."""
        if caller.machine:
            return caller.roles
        person = await self._context.people.find(caller.name)
        return None if person is None else frozenset(person.roles)
