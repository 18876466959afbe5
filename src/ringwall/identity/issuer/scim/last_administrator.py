"""What takes from people what they may do, done so that somebody is always left to administer (409 otherwise).

It is taken from accounts and groups as they were when they were looked at: where others were faster, they are looked
at anew. Another process may take away the other half at the same moment, so what was done is looked at once more.
"""

from collections.abc import Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from ringwall.identity.issuer.administration.escalation import Sparing
from ringwall.identity.people.errors import OvertakenError
from ringwall.identity.store.accounts import Account
from ringwall.identity.store.groups import Group

if TYPE_CHECKING:
    from ringwall.identity.people.people import People

Spare = Callable[[Collection[Account]], AbstractAsyncContextManager[Sparing]]
"""`Escalation.sparing_one` for whoever asks."""

_TRIES: Final = 10


class Guard:
    """Changes accounts and groups for one caller.

    Args:
        services: what there is about people.
        spare: guards what takes something from accounts.
        by: as in `Journal.note`.
    """

    def __init__(self, services: "People", *, spare: Spare, by: str) -> None:
        self._services = services
        self._spare = spare
        self._by = by

    async def change(self, account: Account, change: Callable[[Account], Account]) -> None:
        """Change an account, as `people.accounts.Accounts.change` does; ProblemError where nobody would be left."""
        accounts = self._services.accounts
        for _ in range(_TRIES):
            loses = _loses(account, change(account))

            def guarded(was: Account, before: Account = account, loses: bool = loses) -> Account:  # noqa: FBT001  # bound here
                after = change(was)
                if _loses(was, after) and not (loses and _same_powers(was, before)):
                    raise _ReadAgainError
                return after

            try:
                async with self._spare([account] if loses else []) as sparing:
                    await accounts.change(account.id, guarded, by=self._by)
                    await sparing.check(partial(accounts.change, account.id, _giving_back(account), by=self._by))
            except _ReadAgainError:
                account = await accounts.get(account.id)
            else:
                return
        raise _overtaken()

    async def delete(self, account: Account) -> None:
        """Delete an account; ProblemError as above."""
        accounts = self._services.accounts
        async with self._spare([account] if account.disabled is None else []) as sparing:
            if sparing.needed:  # what is deleted cannot be brought back
                await accounts.disable(account.id, by=self._by, reason="is deleted")
                await sparing.check(partial(accounts.enable, account.id, by=self._by))
            await accounts.delete(account.id, by=self._by)

    async def let_out(self, group: Group, ids: Collection[str], act: Callable[[], Awaitable[object]]) -> None:
        """Do what takes accounts out of a group, whose version it has to check; ProblemError as above."""
        back = partial(self._services.groups.change_members, group.id, add=ids, by=self._by)
        async with self._spare(await self._holders(group, ids)) as sparing:
            await act()
            await sparing.check(back)

    async def delete_group(self, group: Group, ids: Collection[str]) -> None:
        """Delete a group of these members; ProblemError as above, OvertakenError where it was changed meanwhile."""
        groups, version = self._services.groups, group.version
        async with self._spare(await self._holders(group, ids)) as sparing:
            if sparing.needed:
                version = (await groups.set_members(group.id, (), version=version, by=self._by)).version
                await sparing.check(partial(groups.change_members, group.id, add=ids, by=self._by))
            await groups.delete(group.id, version=version, by=self._by)

    async def _holders(self, group: Group, ids: Collection[str]) -> list[Account]:
        """Return those who would lose what a group gives."""
        accounts = self._services.database.accounts
        found = [await accounts.get(each) for each in (ids if group.roles else ())]
        return [each for each in found if each is not None and each.disabled is None]


class _ReadAgainError(Exception):
    """Others have changed what was looked at."""


def _overtaken() -> OvertakenError:
    return OvertakenError("it is being changed by others at this moment", hint="try again")


def _loses(before: Account, after: Account) -> bool:
    """Return whether a change takes from somebody what they may do."""
    if before.disabled is not None:
        return False
    return after.disabled is not None or not set(before.effective_roles) <= set(after.effective_roles)


def _same_powers(one: Account, other: Account) -> bool:
    return (one.effective_roles, one.disabled) == (other.effective_roles, other.disabled)


def _giving_back(before: Account) -> Callable[[Account], Account]:
    """Return the change that lets an account do what it could before."""
    return lambda now: replace(now, roles=before.roles, disabled=before.disabled)
