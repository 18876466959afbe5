"""What policies about operations cannot say: nobody rises above themselves, and somebody is always left to administer.

1. A role is given by those who hold it, or who may `roles.grant` it. What would make somebody else's roles one's own,
   such as a link to begin an account anew, or a client's secret, is like giving all of them.
2. An account is changed only by those who may do all the administration that it may do.
3. Who can let others in cannot be disabled, deleted, or lose that, where nobody else can do all that they can. (The
   operator could invite another, and is not held to this.)
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from ringwall.identity.issuer.administration.actor import Actor
from ringwall.identity.issuer.administration.authority import Authority
from ringwall.identity.issuer.administration.problems import ProblemError
from ringwall.identity.issuer.context import IssuerContext

if TYPE_CHECKING:
    from ringwall.identity.store.accounts import Account

NEW: Final = "-"
"""Stands for a user in a path, where there is no account yet."""
_PAGE: Final = 500


class Escalation:
    """Holds those who administer to these rules."""

    def __init__(self, context: IssuerContext, authority: Authority) -> None:
        self._context = context
        self._authority = authority
        self._lock = asyncio.Lock()

    def require(self, actor: Actor, name: str, path: str) -> None:
        """Raise ProblemError unless the policies let somebody do an operation that is a part of the one asked for."""
        self._authority.require(actor, name, path)

    def require_giving(self, actor: Actor, roles: Iterable[str], *, user: str = NEW) -> None:
        """Raise ProblemError unless somebody may give each of these roles to an account."""
        held = self._closed(actor.roles)
        for role in roles:
            own = actor.is_operator or role in held
            if own and self._authority.allows(actor, "roles.give", f"/admin/users/{user}/roles/{role}"):
                continue
            if not self._authority.allows(actor, "roles.grant", f"/admin/users/{user}/any-role/{role}"):
                raise ProblemError(
                    403,
                    "not-permitted",
                    f"you may not give the role {role!r}",
                    hint="it takes to hold it and `roles.give`, or `roles.grant`",
                )

    def require_letting_give(self, actor: Actor, roles: Iterable[str]) -> None:
        """Raise ProblemError unless somebody, whom policies let do so, may let a group give each of these roles."""
        held = self._closed(actor.roles)
        for role in roles:
            if not actor.is_operator and role not in held:
                self._authority.require(actor, "roles.grant", f"/admin/users/{NEW}/any-role/{role}")

    def require_rank(self, actor: Actor, subject: str, roles: Collection[str]) -> None:
        """Raise ProblemError where a user, or whoever has these roles, may administer what the actor may not."""
        if actor.is_operator or subject == actor.name:
            return
        own, theirs = self._powers(actor.name, actor.roles), self._powers(subject, roles)
        more = [name for name, power in theirs.items() if power > own[name]]
        if more:
            raise ProblemError(
                403,
                "not-permitted",
                "they may administer what you may not",
                hint=f"such as {', '.join(sorted(more)[:3])}",
            )

    @asynccontextmanager
    async def sparing_one(self, actor: Actor, accounts: "Collection[Account]") -> AsyncIterator["Sparing"]:
        """Guard what takes something from accounts; ProblemError where nobody would be left who can do as much."""
        concerned = [] if actor.is_operator else [each for each in accounts if self._lets_others_in(each)]
        if not concerned:
            yield Sparing(self, {})
            return
        powers = [self._powers(account.id, account.effective_roles) for account in concerned]
        needed = {name: max(each[name] for each in powers) for name in powers[0]}
        async with self._lock:
            if not await self.somebody_left(needed, without={account.id for account in concerned}):
                raise _last()
            yield Sparing(self, needed)

    async def somebody_left(self, needed: Mapping[str, int], *, without: Collection[str] = ()) -> bool:
        """Return whether somebody who is not among some accounts may do all that is needed."""
        directory = self._context.directory.current()
        if directory.development and any(self._suffices(p.name, p.roles, needed) for p in directory.people.values()):
            return True
        accounts, after = (await self._context.storage.database()).accounts, ""
        while found := await accounts.page(after=after, limit=_PAGE):
            for account in found:
                present = account.disabled is None and account.id not in without
                if present and self._suffices(account.id, account.effective_roles, needed):
                    return True
            after = found[-1].name_key
        return False

    def _lets_others_in(self, account: "Account") -> bool:
        """Return whether somebody could invite others and give them roles."""
        powers = self._powers(account.id, account.effective_roles)
        return powers["users.invite"] > 0 and max(powers["roles.give"], powers["roles.grant"]) > 0

    def _suffices(self, subject: str, roles: Collection[str], needed: Mapping[str, int]) -> bool:
        powers = self._powers(subject, roles)
        return all(powers[name] >= power for name, power in needed.items())

    def _powers(self, subject: str, roles: Collection[str]) -> dict[str, int]:
        return self._authority.powers(subject, self._closed(roles))

    def _closed(self, roles: Collection[str]) -> frozenset[str]:
        includes = self._context.directory.current().includes
        return frozenset(roles).union(*(includes.get(role, frozenset()) for role in roles))


class Sparing:
    """An act under guard, where it is `needed`.

    Another process may take away the other half at the same moment, so one that can be undone is looked at once more.
    """

    def __init__(self, escalation: Escalation, needed: Mapping[str, int]) -> None:
        self._escalation = escalation
        self.needed = needed

    async def check(self, undo: Callable[[], Awaitable[object]]) -> None:
        """Undo what was done, and raise ProblemError, where nobody is left."""
        if self.needed and not await self._escalation.somebody_left(self.needed):
            await undo()
            raise _last()


def _last() -> ProblemError:
    return ProblemError(
        409,
        "last-administrator",
        "nobody else could do what they can, and let others in",
        hint="invite another administrator first",
    )
