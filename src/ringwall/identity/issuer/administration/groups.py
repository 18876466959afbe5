"""Groups: whoever is in one has the roles that it gives."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from ringwall.identity.issuer.administration import bodies, schemas
from ringwall.identity.issuer.administration.escalation import Escalation
from ringwall.identity.issuer.administration.people import account_of, known_roles, told
from ringwall.identity.issuer.administration.problems import missing
from ringwall.identity.issuer.administration.reading import (
    after_of,
    expected_version,
    limit_of,
    next_of,
    query,
    read,
    tell,
)
from ringwall.identity.issuer.administration.routes import Asked, Handler
from ringwall.identity.issuer.context import IssuerContext

if TYPE_CHECKING:
    from ringwall.identity.people.groups import Groups
    from ringwall.identity.store.accounts import Account
    from ringwall.identity.store.groups import Group

_ALL: Final = 1_000_000


class GroupAdministration:
    """What answers; one method per operation."""

    def __init__(self, context: IssuerContext, escalation: Escalation) -> None:
        self._context = context
        self._escalation = escalation

    def handlers(self) -> dict[str, Handler]:
        """Return the operations."""
        return {
            "groups.list": self.page,
            "groups.read": self.show,
            "groups.members": self.members,
            "groups.create": self.create,
            "groups.change": self.change,
            "groups.delete": self.delete,
            "groups.give-role": self.give_role,
            "groups.take-role": self.take_role,
            "groups.join": self.join,
            "groups.leave": self.leave,
        }

    async def page(self, asked: Asked) -> Response:
        """Answer with groups in the order of their names, or with the one of a name."""
        from ringwall.identity.people.profile import checked_group_name  # noqa: PLC0415  # not on the way to a start

        parameters = query(asked, "after", "limit", "name")
        groups = (await self._context.people.services()).database.groups
        if "name" in parameters:
            named = await groups.by_name(checked_group_name(parameters["name"])[1])
            return tell(schemas.Groups(groups=[await self._told(named)] if named is not None else []))
        limit = limit_of(parameters)
        found = await groups.page(after=after_of(parameters), limit=limit)
        following = next_of(found, limit, lambda last: last.name_key)
        return tell(schemas.Groups(groups=[await self._told(group) for group in found], next=following))

    async def show(self, asked: Asked) -> Response:
        """Answer with one group."""
        return await self._answer(await self._named(asked))

    async def members(self, asked: Asked) -> Response:
        """Answer with members in the order of their ids."""
        parameters, group = query(asked, "after", "limit"), await self._named(asked)
        limit = limit_of(parameters)
        found = await (await self._groups()).members(group.id, after=after_of(parameters), limit=limit)
        following = next_of(found, limit, lambda last: last.id)
        told_members = [
            schemas.Member(id=each.id, user_name=each.user_name, display_name=each.display_name) for each in found
        ]
        return tell(schemas.Members(members=told_members, next=following))

    async def create(self, asked: Asked) -> Response:
        """Make a group."""
        wanted = await read(asked, bodies.NewGroup)
        roles = known_roles(self._context, wanted.roles)
        for role in roles:
            self._escalation.require(asked.actor, "groups.give-role", f"/admin/groups/-/roles/{role}")
        self._escalation.require_letting_give(asked.actor, roles)
        made = await (await self._groups()).create(
            wanted.name, roles=roles, manager=wanted.managed_by, by=asked.actor.name
        )
        return await self._answer(made)

    async def change(self, asked: Asked) -> Response:
        """Rename a group, or say who provisions it."""
        wanted = await read(asked, bodies.ChangeGroup)

        def changed(was: "Group") -> "Group":
            name = was.name if wanted.name is None else wanted.name
            return replace(was, name=name, manager=was.manager if wanted.managed_by is None else wanted.managed_by)

        return await self._change(asked, await self._named(asked), changed)

    async def give_role(self, asked: Asked) -> Response:
        """Let a group give a role to its members."""
        (role,) = known_roles(self._context, [asked.named("role")])
        self._escalation.require_letting_give(asked.actor, [role])
        return await self._change(asked, await self._named(asked), _giving(role))

    async def take_role(self, asked: Asked) -> Response:
        """Let a group give a role no more; whoever loses it is signed out everywhere."""
        group, role = await self._named(asked), asked.named("role")
        if role not in group.roles:
            raise missing("role of this group")
        groups, by, version = await self._groups(), asked.actor.name, expected_version(asked)
        async with self._escalation.sparing_one(asked.actor, await self._losing(asked, group)) as sparing:
            kept = await groups.change(group.id, _giving_no_more(role), by=by, version=version)
            await sparing.check(lambda: groups.change(group.id, _giving(role), by=by))
        return await self._answer(kept)

    async def delete(self, asked: Asked) -> Response:
        """Delete a group; its members stay, and lose what it gave them."""
        group = await self._named(asked)
        async with self._escalation.sparing_one(asked.actor, await self._losing(asked, group)):
            await (await self._groups()).delete(group.id, by=asked.actor.name, version=expected_version(asked))
        return tell(schemas.Nothing())

    async def join(self, asked: Asked) -> Response:
        """Put an account into a group, which is like giving the group's roles."""
        account, group = await account_of(self._context, asked), await self._named(asked)
        self._escalation.require_rank(asked.actor, account.id, account.effective_roles)
        self._escalation.require_giving(asked.actor, group.roles, user=account.id)
        await (await self._groups()).change_members(group.id, add=[account.id], by=asked.actor.name)
        return await self._member(asked)

    async def leave(self, asked: Asked) -> Response:
        """Take an account out of a group; its person is signed out everywhere."""
        account, group = await account_of(self._context, asked), await self._named(asked)
        self._escalation.require_rank(asked.actor, account.id, account.effective_roles)
        groups, by = await self._groups(), asked.actor.name
        if group.id not in {each.id for each in account.memberships}:
            raise missing("member of this group")
        async with self._escalation.sparing_one(asked.actor, [account] if group.roles else []) as sparing:
            await groups.change_members(group.id, remove=[account.id], by=by)
            await sparing.check(lambda: groups.change_members(group.id, add=[account.id], by=by))
        return await self._member(asked)

    async def _change(self, asked: Asked, group: "Group", changed: "Callable[[Group], Group]") -> Response:
        version = expected_version(asked)
        return await self._answer(
            await (await self._groups()).change(group.id, changed, by=asked.actor.name, version=version)
        )

    async def _losing(self, asked: Asked, group: "Group") -> "list[Account]":
        """Return the members of a group, who would lose what it gives; ProblemError where one outranks the actor."""
        if not group.roles:
            return []
        database = (await self._context.people.services()).database
        found = []
        for member in await database.groups.members(group.id, limit=_ALL):
            account = await database.accounts.get(member.id)
            if account is not None:
                self._escalation.require_rank(asked.actor, account.id, account.effective_roles)
                found.append(account)
        return found

    async def _groups(self) -> "Groups":
        return (await self._context.people.services()).groups

    async def _named(self, asked: Asked) -> "Group":
        found = await (await self._context.people.services()).database.groups.get(asked.named("group"))
        if found is None:
            raise missing("group")
        return found

    async def _member(self, asked: Asked) -> Response:
        account = await account_of(self._context, asked)
        return tell(told(account), version=account.version)

    async def _answer(self, group: "Group") -> Response:
        return tell(await self._told(group), version=group.version)

    async def _told(self, group: "Group") -> schemas.Group:
        database = (await self._context.people.services()).database
        return schemas.Group(
            id=group.id,
            version=group.version,
            name=group.name,
            roles=list(group.roles),
            managed_by=group.manager,
            size=await database.groups.size(group.id),
            created=group.created,
        )


def _giving(role: str) -> "Callable[[Group], Group]":
    return lambda was: replace(was, roles=tuple(sorted({*was.roles, role})))


def _giving_no_more(role: str) -> "Callable[[Group], Group]":
    return lambda was: replace(was, roles=tuple(each for each in was.roles if each != role))
