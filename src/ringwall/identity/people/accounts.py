"""Accounts: made, changed, disabled, deleted. What pages and administration do to them is done here, and noted."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from ringwall.identity.people.endings import Ended, Endings
from ringwall.identity.people.errors import AccountError, AccountTakenError, OvertakenError
from ringwall.identity.people.journal import Journal
from ringwall.identity.people.names import normalised
from ringwall.identity.people.profile import Profile, checked_group_name
from ringwall.identity.store.accounts import Account
from ringwall.identity.store.database import Database
from ringwall.identity.store.errors import ConflictError
from ringwall.model.clock import Clock

_TRIES: Final = 10


class Accounts:
    """All accounts."""

    def __init__(self, database: Database, journal: Journal, clock: Clock, *, endings: Endings) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._endings = endings

    async def create(
        self,
        profile: Profile,
        *,
        by: str,
        more: Mapping[str, Any] | None = None,
        manager: str = "",
        disabled: bool = False,
    ) -> Account:
        """Make an account, which nobody can sign in to yet; AccountTakenError where the user name is taken.

        Args:
            profile: checked. Of its groups, those that there are take the account in.
            by: as in `Journal.note`.
            more: `Account.profile`.
            manager: the client that provisions the account.
            disabled: whether nobody may sign in.
        """
        now = self._clock.now()
        try:
            account = await self._database.accounts.create(
                name_key=profile.name_key,
                user_name=profile.user_name,
                display_name=profile.display_name,
                email=profile.email,
                email_key=profile.email_key,
                roles=profile.roles,
                attributes=profile.attributes,
                profile=more,
                manager=manager,
                disabled=now if disabled else None,
                now=now,
            )
        except ConflictError as error:
            raise AccountTakenError(error.message, hint=error.hint) from None
        await self._journal.note(
            "account-created", by=by, account=account.id, user_name=account.user_name, roles=list(account.roles)
        )
        return await self._join(account, profile.groups, by=by) if profile.groups else account

    async def get(self, account: str) -> Account:
        """Return the account of an id; AccountError where there is none."""
        if (found := await self._database.accounts.get(account)) is None:
            raise AccountError("there is no such account")
        return found

    async def named(self, user_name: str) -> Account:
        """Return the account of a user name as somebody types it; AccountError, UserNameError."""
        if (found := await self._database.accounts.by_name(normalised(user_name))) is None:
            raise AccountError(f"there is no account {user_name[:80]!r}", hint="`ringwall users` lists them")
        return found

    async def page(self, *, after: str = "", limit: int = 100) -> Sequence[Account]:
        """Return accounts in the order of their names; `after` is the `name_key` of the last one known."""
        return await self._database.accounts.page(after=after, limit=limit)

    async def change(
        self, account: str, change: Callable[[Account], Account], *, by: str, version: int | None = None
    ) -> Account:
        """Change an account as it is now, whoever else changes it; AccountTakenError where the new name is taken.

        Who loses a role, or is disabled by it, is signed out everywhere.

        Args:
            account: its id.
            change: returns the new form (`dataclasses.replace`) of the account it is given; members must come from
                `profile`'s checks. It may be called more than once.
            by: as in `Journal.note`.
            version: which the account must have, else OvertakenError; None for any.
        """
        for _ in range(_TRIES):
            before = await self.get(account)
            if version is not None and before.version != version:
                raise OvertakenError("the account was changed meanwhile", hint="read it again")
            after = change(before)
            if after == before:
                return before
            try:
                kept = await self._database.accounts.update(after, now=self._clock.now())
            except ConflictError as error:
                taken = await self._database.accounts.by_name(after.name_key)
                if taken is not None and taken.id != account:
                    raise AccountTakenError(error.message, hint=error.hint) from None
                continue
            await self._follow(before, kept, by=by)
            return kept
        raise AccountError("the account is being changed by others at this moment", hint="try again")

    async def _follow(self, before: Account, after: Account, *, by: str) -> None:
        """Do what a change brings with it, and note it."""
        disabled = after.disabled is not None
        if disabled and before.disabled is None:
            await self._endings.everything(after.id, reason="account-disabled")
        elif not set(before.effective_roles) <= set(after.effective_roles):
            await self.end_what_says_too_much(after.id, reason="roles-taken")
        if said := _difference(before, after):
            await self._journal.note("account-changed", by=by, account=after.id, **said)
        if disabled is (before.disabled is None):
            await self._journal.note("account-disabled" if disabled else "account-enabled", by=by, account=after.id)

    async def disable(self, account: str, *, by: str, reason: str = "") -> Ended:
        """Let nobody sign in to an account any more, and end whatever was begun with it; what it holds is kept."""
        if await self._database.accounts.disable(account, now=self._clock.now()) is None:
            raise AccountError("there is no such account")
        ended = await self._endings.everything(account, reason="account-disabled")
        await self._journal.note("account-disabled", by=by, account=account, reason=reason)
        return ended

    async def enable(self, account: str, *, by: str) -> None:
        """Undo `disable`; sessions stay ended."""
        if await self._database.accounts.enable(account, now=self._clock.now()) is None:
            raise AccountError("there is no such account")
        await self._journal.note("account-enabled", by=by, account=account)

    async def delete(self, account: str, *, by: str) -> Ended:
        """Remove an account with everything by which its person signed in, and end whatever was begun with it.

        Its id is never given to another; events keep it.
        """
        found = await self.get(account)
        ended = await self._endings.everything(account, reason="account-deleted")
        if not await self._database.accounts.delete(account, now=self._clock.now()):
            raise AccountError("there is no such account")
        await self._journal.note("account-deleted", by=by, account=account, user_name=found.user_name)
        return ended

    async def end_sessions(self, account: str, *, by: str, spared: str = "") -> Ended:
        """End a person's sessions everywhere, but the `spared` one; tokens given out so far are refused."""
        await self.get(account)
        return await self._endings.sign_out(account, by=by, spared=spared)

    async def end_what_says_too_much(self, account: str, *, reason: str) -> None:
        """End whatever was begun with roles or groups that somebody has no more; whoever took them notes that."""
        await self._endings.everything(account, reason=reason)

    async def _join(self, account: Account, groups: Collection[str], *, by: str) -> Account:
        joined = []
        for name in groups:
            group = await self._database.groups.by_name(checked_group_name(name)[1])
            if group is not None:
                await self._database.groups.change_members(group.id, add=[account.id], now=self._clock.now())
                joined.append(group.name)
        if joined:
            await self._journal.note("group-joined", by=by, account=account.id, groups=joined)
        return await self.get(account.id)


def with_profile(account: Account, profile: Profile) -> Account:
    """Return an account with what a profile says but its groups, for `Accounts.change`."""
    return replace(
        account,
        user_name=profile.user_name,
        name_key=profile.name_key,
        display_name=profile.display_name,
        email=profile.email,
        email_key=profile.email_key,
        roles=profile.roles,
        attributes=profile.attributes,
    )


def _difference(before: Account, after: Account) -> dict[str, Any]:
    """Return what is new, for the event; roles as what was given and taken."""
    said: dict[str, Any] = {
        name: getattr(after, name)
        for name in ("user_name", "display_name", "email")
        if getattr(after, name) != getattr(before, name)
    }
    was, now = set(before.roles), set(after.roles)
    if was != now:
        said["roles"] = {"given": sorted(now - was), "taken": sorted(was - now)}
    if dict(before.profile) != dict(after.profile):
        said["profile"] = sorted(before.profile.keys() | after.profile.keys())
    if before.manager != after.manager:
        said["manager"] = after.manager
    if dict(before.attributes) != dict(after.attributes):
        said["attributes"] = sorted(
            name
            for name in before.attributes.keys() | after.attributes.keys()
            if before.attributes.get(name) != after.attributes.get(name)
        )
    return said
