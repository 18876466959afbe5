"""Accounts of people: who there is, what they are called, whether they may sign in."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from ringwall.identity.issuer.administration import bodies, schemas
from ringwall.identity.issuer.administration.escalation import Escalation
from ringwall.identity.issuer.administration.people import (
    account_of,
    ended,
    profile_of,
    require_profile,
    told,
    told_details,
)
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
    from ringwall.identity.store.accounts import Account


class UserAdministration:
    """What answers; one method per operation."""

    def __init__(self, context: IssuerContext, escalation: Escalation) -> None:
        self._context = context
        self._escalation = escalation

    def handlers(self) -> dict[str, Handler]:
        """Return the operations."""
        return {
            "users.list": self.page,
            "users.read": self.show,
            "users.import": self.take_over,
            "users.change": self.change,
            "users.set-attributes": self.set_attributes,
            "users.disable": self.disable,
            "users.enable": self.enable,
            "users.sign-out": self.sign_out,
            "users.delete": self.delete,
        }

    async def page(self, asked: Asked) -> Response:
        """Answer with accounts in the order of their names, or with the one of a name."""
        from ringwall.identity.people.names import normalised  # noqa: PLC0415  # not on the way to a start

        parameters = query(asked, "after", "limit", "user_name")
        accounts = (await self._context.people.services()).database.accounts
        if "user_name" in parameters:
            named = await accounts.by_name(normalised(parameters["user_name"]))
            return tell(schemas.Users(users=[told(named)] if named is not None else []))
        limit = limit_of(parameters)
        found = await accounts.page(after=after_of(parameters), limit=limit)
        following = next_of(found, limit, lambda last: last.name_key)
        return tell(schemas.Users(users=[told(account) for account in found], next=following))

    async def show(self, asked: Asked) -> Response:
        """Answer with one account: who it is, how its person can sign in, and where they are signed in."""
        account = await account_of(self._context, asked)
        return tell(await told_details(self._context, account), version=account.version)

    async def take_over(self, asked: Asked) -> Response:
        """Make an account as another system has it; roles that the plan has not are left out, and named."""
        wanted = await read(asked, bodies.Import)
        known = self._context.directory.current().roles
        profile = profile_of(wanted, tuple(role for role in wanted.roles if role in known))
        await require_profile(self._context, self._escalation, asked, profile)
        services = await self._context.people.services()
        await services.importer.add(
            profile,
            by=asked.actor.name,
            password=wanted.password,
            app=wanted.totp,
            disabled=wanted.disabled,
            dry_run=wanted.dry_run,
        )
        made = None if wanted.dry_run else await services.database.accounts.by_name(profile.name_key)
        unknown = [role for role in wanted.roles if role not in known]
        return tell(schemas.Imported(id=made.id if made is not None else "", unknown_roles=unknown))

    async def change(self, asked: Asked) -> Response:
        """Change what an account says of its person."""
        wanted = await read(asked, bodies.Change)

        def changed(was: "Account") -> "Account":
            return _with(was, wanted.model_dump(exclude_none=True))

        return await self._change(asked, changed)

    async def set_attributes(self, asked: Asked) -> Response:
        """Set some attributes, and remove others."""
        wanted = await read(asked, bodies.SetAttributes)

        def changed(was: "Account") -> "Account":
            kept = {name: value for name, value in was.attributes.items() if name not in wanted.remove}
            return _with(was, {"attributes": {**kept, **wanted.set}})

        return await self._change(asked, changed)

    async def _change(self, asked: Asked, changed: Any) -> Response:
        account = await account_of(self._context, asked)
        self._require_rank(asked, account)
        services = await self._context.people.services()
        kept = await services.accounts.change(account.id, changed, by=asked.actor.name, version=expected_version(asked))
        return tell(told(kept), version=kept.version)

    async def disable(self, asked: Asked) -> Response:
        """Disable an account and end what was begun with it."""
        wanted = await read(asked, bodies.Disable)
        account = await account_of(self._context, asked)
        self._require_rank(asked, account)
        accounts, by = (await self._context.people.services()).accounts, asked.actor.name
        async with self._escalation.sparing_one(asked.actor, [account]) as sparing:
            done = await accounts.disable(account.id, by=by, reason=wanted.reason)
            await sparing.check(lambda: accounts.enable(account.id, by=by))
        return ended(done)

    async def enable(self, asked: Asked) -> Response:
        """Enable an account again."""
        account = await account_of(self._context, asked)
        self._require_rank(asked, account)
        await (await self._context.people.services()).accounts.enable(account.id, by=asked.actor.name)
        return tell(schemas.Nothing())

    async def sign_out(self, asked: Asked) -> Response:
        """End a person's sessions and what clients may do for them, everywhere."""
        account = await account_of(self._context, asked)
        self._require_rank(asked, account)
        services = await self._context.people.services()
        return ended(await services.accounts.end_sessions(account.id, by=asked.actor.name))

    async def delete(self, asked: Asked) -> Response:
        """Delete an account, and end what was begun with it."""
        account = await account_of(self._context, asked)
        self._require_rank(asked, account)
        accounts, by = (await self._context.people.services()).accounts, asked.actor.name
        async with self._escalation.sparing_one(asked.actor, [account]) as sparing:
            if sparing.needed:  # what is deleted cannot be brought back
                await accounts.disable(account.id, by=by, reason="is deleted")
                await sparing.check(lambda: accounts.enable(account.id, by=by))
            return ended(await accounts.delete(account.id, by=by))

    def _require_rank(self, asked: Asked, account: "Account") -> None:
        self._escalation.require_rank(asked.actor, account.id, account.effective_roles)


def _with(was: "Account", wanted: Mapping[str, Any]) -> "Account":
    """Return an account with what was asked for, checked."""
    from ringwall.identity.people.accounts import with_profile  # noqa: PLC0415  # not on the way to a start
    from ringwall.identity.people.profile import Profile  # noqa: PLC0415

    profile = Profile.checked(
        user_name=wanted.get("user_name", was.user_name),
        display_name=wanted.get("display_name", was.display_name),
        email=wanted.get("email", was.email),
        roles=was.roles,
        attributes=wanted.get("attributes", was.attributes),
    )
    return replace(with_profile(was, profile), manager=wanted.get("managed_by", was.manager))
