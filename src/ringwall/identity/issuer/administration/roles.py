"""The roles of the plan, and who has them."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.responses import Response

from ringwall.identity.issuer.administration import schemas
from ringwall.identity.issuer.administration.escalation import Escalation
from ringwall.identity.issuer.administration.people import account_of, known_roles, told
from ringwall.identity.issuer.administration.problems import ProblemError, missing
from ringwall.identity.issuer.administration.reading import (
    after_of,
    expected_version,
    limit_of,
    next_of,
    query,
    tell,
)
from ringwall.identity.issuer.administration.routes import Asked, Handler
from ringwall.identity.issuer.context import IssuerContext

if TYPE_CHECKING:
    from ringwall.identity.store.accounts import Account


class RoleAdministration:
    """What answers; one method per operation."""

    def __init__(self, context: IssuerContext, escalation: Escalation) -> None:
        self._context = context
        self._escalation = escalation

    def handlers(self) -> dict[str, Handler]:
        """Return the operations."""
        return {
            "roles.list": self.page,
            "roles.holders": self.holders,
            "roles.give": self.give,
            "roles.grant": self.grant,
            "roles.take": self.take,
        }

    async def page(self, _: Asked) -> Response:
        """Answer with the roles that there are."""
        includes = self._context.directory.current().includes
        found = [schemas.Role(name=name, includes=sorted(includes[name])) for name in sorted(includes)]
        return tell(schemas.Roles(roles=found))

    async def holders(self, asked: Asked) -> Response:
        """Answer with accounts that hold a role, of themselves or through a group; a short page may not be the last."""
        parameters, role = query(asked, "after", "limit"), asked.named("role")
        if role not in self._context.directory.current().roles:
            raise missing("role")
        limit = limit_of(parameters)
        accounts = (await self._context.people.services()).database.accounts
        found = await accounts.page(after=after_of(parameters), limit=limit)
        following = next_of(found, limit, lambda last: last.name_key)
        holding = [told(account) for account in found if role in account.effective_roles]
        return tell(schemas.Users(users=holding, next=following))

    async def give(self, asked: Asked) -> Response:
        """Give a role that the giver holds, or may grant."""
        account, role = await self._both(asked)
        self._escalation.require_giving(asked.actor, [role], user=account.id)
        return await self._given(asked, account, role)

    async def grant(self, asked: Asked) -> Response:
        """Give a role, held by the giver or not: policies have let them."""
        account, role = await self._both(asked)
        return await self._given(asked, account, role)

    async def take(self, asked: Asked) -> Response:
        """Take a role; whoever loses one is signed out everywhere."""
        account, role = await account_of(self._context, asked), asked.named("role")
        self._escalation.require_rank(asked.actor, account.id, account.effective_roles)
        if role not in account.roles:
            through = [each.name for each in account.memberships if role in each.roles]
            if through:
                raise ProblemError(409, "through-group", f"they have the role through the group {through[0]!r}")
            raise missing("role of this account")
        accounts = (await self._context.people.services()).accounts
        by, version = asked.actor.name, expected_version(asked)
        async with self._escalation.sparing_one(asked.actor, [account]) as sparing:
            kept = await accounts.change(account.id, _without(role), by=by, version=version)
            await sparing.check(lambda: accounts.change(account.id, _with(role), by=by))
        return tell(told(kept), version=kept.version)

    async def _both(self, asked: Asked) -> "tuple[Account, str]":
        (role,) = known_roles(self._context, [asked.named("role")])
        return await account_of(self._context, asked), role

    async def _given(self, asked: Asked, account: "Account", role: str) -> Response:
        accounts, version = (await self._context.people.services()).accounts, expected_version(asked)
        kept = await accounts.change(account.id, _with(role), by=asked.actor.name, version=version)
        return tell(told(kept), version=kept.version)


def _with(role: str) -> "Callable[[Account], Account]":
    return lambda was: replace(was, roles=tuple(sorted({*was.roles, role})))


def _without(role: str) -> "Callable[[Account], Account]":
    return lambda was: replace(was, roles=tuple(each for each in was.roles if each != role))
