"""Groups: made, renamed, filled, emptied, deleted. Who loses one, or a role through one, is signed out everywhere."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from typing import Final

from ringwall.identity.people.accounts import Accounts
from ringwall.identity.people.errors import AccountError, AccountTakenError, OvertakenError
from ringwall.identity.people.journal import Journal
from ringwall.identity.people.profile import checked_group_name, checked_names
from ringwall.identity.store.database import Database
from ringwall.identity.store.errors import ConflictError
from ringwall.identity.store.groups import MAX_MEMBERS, Group, Member, MembersChanged, MembersRefusedError
from ringwall.model.clock import Clock

_TRIES: Final = 10


class Groups:
    """All groups."""

    def __init__(self, database: Database, journal: Journal, clock: Clock, *, accounts: Accounts) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._accounts = accounts

    async def create(self, name: str, *, by: str, roles: Collection[str] = (), manager: str = "") -> Group:
        """Make a group without members; AccountError where the name cannot be one, or is taken."""
        shown, key = checked_group_name(name)
        try:
            group = await self._database.groups.create(
                name_key=key,
                name=shown,
                roles=checked_names(tuple(roles), "role"),
                manager=manager,
                now=self._clock.now(),
            )
        except ConflictError as error:
            raise AccountTakenError(error.message, hint=error.hint) from None
        await self._journal.note(
            "group-created", by=by, account=group.id, name=group.name, roles=list(group.roles), manager=manager
        )
        return group

    async def ensure(self, names: Collection[str], *, by: str) -> None:
        """Make the groups of these names that are not there; they give no roles."""
        for name in names:
            if await self._database.groups.by_name(checked_group_name(name)[1]) is None:
                await self.create(name, by=by)

    async def get(self, group: str) -> Group:
        """Return the group of an id; AccountError where there is none."""
        if (found := await self._database.groups.get(group)) is None:
            raise _none()
        return found

    async def named(self, name: str) -> Group:
        """Return the group of a name as somebody types it; AccountError."""
        if (found := await self._database.groups.by_name(checked_group_name(name)[1])) is None:
            raise AccountError(f"there is no group {name[:80]!r}", hint="`ringwall groups` lists them")
        return found

    async def page(self, *, after: str = "", limit: int = 100) -> Sequence[Group]:
        """Return groups in the order of their names; `after` is the `name_key` of the last one known."""
        return await self._database.groups.page(after=after, limit=limit)

    async def members(self, group: str, *, after: str = "", limit: int = 100) -> Sequence[Member]:
        """Return members in the order of their ids; `after` is the id of the last one known."""
        return await self._database.groups.members(group, after=after, limit=limit)

    async def change(
        self, group: str, change: Callable[[Group], Group], *, by: str, version: int | None = None
    ) -> Group:
        """Change name, roles or manager of a group.

        Args:
            group: its id.
            change: returns the new form of the group it is given, which is checked here; may be called more than once.
            by: as in `Journal.note`.
            version: which the group must have; None for any.

        Raises:
            AccountError: there is no such group, or the new name cannot be one.
            AccountTakenError: another group has the new name.
            OvertakenError: the group has another version.
        """
        for _ in range(_TRIES):
            before = await self.get(group)
            _check_version(before, version)
            after = change(before)
            name, key = checked_group_name(after.name)
            after = replace(after, name=name, name_key=key, roles=checked_names(after.roles, "role"))
            if after == before:
                return before
            try:
                kept = await self._database.groups.update(after, now=self._clock.now())
            except ConflictError as error:
                taken = await self._database.groups.by_name(key)
                if taken is not None and taken.id != group:
                    raise AccountTakenError(error.message, hint=error.hint) from None
                continue
            lost = sorted(set(before.roles) - set(kept.roles))
            said = {
                "name": kept.name,
                "roles": {"given": sorted(set(kept.roles) - set(before.roles)), "taken": lost},
                "manager": kept.manager,
            }
            await self._journal.note("group-changed", by=by, account=group, **said)
            if lost:
                await self._end_those_without(
                    set(lost), [member.id for member in await self.members(group, limit=MAX_MEMBERS)]
                )
            return kept
        raise AccountError("the group is being changed by others at this moment", hint="try again")

    async def change_members(
        self,
        group: str,
        *,
        by: str,
        add: Collection[str] = (),
        remove: Collection[str] = (),
        version: int | None = None,
    ) -> Group:
        """Put accounts into a group, and take others out; ids that are in, or out, already are passed over.

        Raises:
            AccountError: there is no such group or account, or a limit is reached; nothing was changed.
            OvertakenError: the group has another version.
        """
        return await self._noted(
            lambda: self._database.groups.change_members(
                group, add=add, remove=remove, version=version, now=self._clock.now()
            ),
            by=by,
        )

    async def set_members(self, group: str, members: Collection[str], *, by: str, version: int | None = None) -> Group:
        """Let a group have these members and no others, as `change_members` does."""
        return await self._noted(
            lambda: self._database.groups.set_members(group, members, version=version, now=self._clock.now()), by=by
        )

    async def delete(self, group: str, *, by: str, version: int | None = None) -> None:
        """Remove a group; its members stay, without what it gave them."""
        found = await self.get(group)
        try:
            members = await self._database.groups.delete(group, version=version, now=self._clock.now())
        except ConflictError as error:
            raise OvertakenError(error.message, hint=error.hint) from None
        if members is None:
            raise _none()
        await self._journal.note("group-deleted", by=by, account=group, name=found.name, members=len(members))
        await self._left(members, found, by=by)

    async def _noted(self, act: Callable[[], Awaitable[MembersChanged | None]], *, by: str) -> Group:
        try:
            done = await act()
        except ConflictError as error:
            raise OvertakenError(error.message, hint=error.hint) from None
        except MembersRefusedError as error:
            raise AccountError(error.message, hint=error.hint) from None
        if done is None:
            raise _none()
        if done.added or done.removed:
            await self._journal.note(
                "group-members-changed",
                by=by,
                account=done.group.id,
                name=done.group.name,
                added=len(done.added),
                removed=len(done.removed),
            )
        for account in done.added:
            await self._journal.note("group-joined", by=by, account=account, group=done.group.name)
        await self._left(done.removed, done.group, by=by)
        return done.group

    async def _left(self, accounts: Collection[str], group: Group, *, by: str) -> None:
        """End whatever was begun as a member of the group: policies may read its name in tokens."""
        for account in accounts:
            await self._accounts.end_what_says_too_much(account, reason="group-left")
            await self._journal.note("group-left", by=by, account=account, group=group.name)
            await asyncio.sleep(0)  # others come between

    async def _end_those_without(self, roles: set[str], accounts: Collection[str]) -> None:
        """End whatever was begun with roles that a group gave, by those who do not have them otherwise."""
        for account in accounts:
            found = await self._database.accounts.get(account)
            if found is not None and not roles <= set(found.effective_roles):
                await self._accounts.end_what_says_too_much(account, reason="roles-taken")
            await asyncio.sleep(0)


def _check_version(group: Group, version: int | None) -> None:
    if version is not None and group.version != version:
        raise OvertakenError("the group was changed meanwhile", hint="read it again")


def _none() -> AccountError:
    return AccountError("there is no such group", hint="`ringwall groups` lists them")
