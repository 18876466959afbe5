"""What a provider gives an account, and takes again when it says so no more; what was given here stays."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from ringwall.identity.people.accounts import Accounts
from ringwall.identity.people.errors import AccountError
from ringwall.identity.people.profile import checked_attributes, checked_email
from ringwall.identity.store.accounts import Account
from ringwall.identity.store.database import Database
from ringwall.identity.store.links import Link
from ringwall.identity.upstream.identity import UpstreamRefusedError
from ringwall.identity.upstream.mapping import Mapped
from ringwall.model.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a link has given its account, as the link keeps it.

    Attributes:
        roles: names of roles.
        attributes: names of attributes.
        display_name: empty where it gave none.
        email: empty where it gave none.
        own: whether the account was made for this link, so that its names follow the provider's until somebody changes
            them here.
    """

    roles: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    display_name: str = ""
    email: str = ""
    own: bool = False

    @classmethod
    def of(cls, link: Link) -> "Given":
        """Read what a link keeps."""
        kept = link.payload
        return cls(
            roles=tuple(kept.get("roles", ())),
            attributes=tuple(kept.get("attributes", ())),
            display_name=str(kept.get("display_name", "")),
            email=str(kept.get("email", "")),
            own=bool(kept.get("own", False)),
        )

    @classmethod
    def to(cls, mapped: Mapped, *, roles: Iterable[str], attributes: Iterable[str], own: bool) -> "Given":
        """Return what a provider gives an account that has these roles and attributes of its own."""
        return cls(
            roles=tuple(sorted({each.role for each in mapped.roles} - set(roles))),
            attributes=tuple(sorted({each.name for each in mapped.attributes} - set(attributes))),
            display_name=mapped.display_name if own else "",
            email=kept_email(mapped) if own else "",
            own=own,
        )

    def payload(self) -> dict[str, Any]:
        """Return this as the link keeps it."""
        return {
            "roles": list(self.roles),
            "attributes": list(self.attributes),
            "display_name": self.display_name,
            "email": self.email,
            "own": self.own,
        }


class Giver:
    """Brings accounts up to date."""

    def __init__(self, database: Database, clock: Clock, *, accounts: Accounts) -> None:
        self._database = database
        self._clock = clock
        self._accounts = accounts

    async def give(self, link: Link, mapped: Mapped, *, upstream: str, by: str, names: bool = True) -> Account | None:
        """Give an account what the provider says now, and take what it said before; return it, None to look again.

        What the link gives is written before the account is, with what it gave before: whenever this breaks off, no
        role of the provider's is taken for one that was given here.

        Args:
            link: by which somebody signs in.
            mapped: what the plan makes of what the provider says of them.
            upstream: the provider's name in the plan.
            by: as in `Journal.note`.
            names: whether names follow the provider, too.
        """
        found = await self._database.accounts.get(link.account)
        if found is None:
            return None
        before = Given.of(link)
        links = await self._database.links.of_account(link.account)
        others = [Given.of(each) for each in links if (each.issuer, each.subject) != (link.issuer, link.subject)]
        elsewhere = {role for each in others for role in each.roles}
        local = [role for role in found.roles if role not in {*before.roles, *elsewhere}]
        mine = {*before.attributes} - {name for each in others for name in each.attributes}
        given = Given.to(mapped, roles=local, attributes=found.attributes.keys() - mine, own=before.own)
        wider = replace(
            given,
            roles=tuple(sorted({*given.roles, *before.roles})),
            attributes=tuple(sorted({*given.attributes, *before.attributes})),
        )
        if not await self._keep(link, wider, upstream):
            return None
        values = {each.name: each.value for each in mapped.attributes if each.name in given.attributes}

        def change(was: Account) -> Account:
            here = {role for role in was.roles if role not in {*before.roles, *elsewhere}}
            kept = {name: value for name, value in was.attributes.items() if name not in mine}
            changed = replace(
                was,
                roles=tuple(sorted({*here, *elsewhere, *given.roles})),
                attributes=checked_attributes({**kept, **values}),
            )
            return _named(changed, before, given) if names else changed

        try:
            account = await self._accounts.change(link.account, change, by=by)
        except AccountError as error:
            raise UpstreamRefusedError("attributes", error.message, hint=error.hint) from None
        if wider != given:
            await self._keep(link, given, upstream)
        return account

    async def _keep(self, link: Link, given: Given, upstream: str) -> bool:
        return await self._database.links.use(link, upstream=upstream, payload=given.payload(), now=self._clock.now())


def kept_email(mapped: Mapped) -> str:
    """Return the address that an account keeps: only one for which the provider's word is taken.

    Any other could be somebody else's, who would then be led to this account when they first come.
    """
    return mapped.email if mapped.authoritative else ""


def _named(account: Account, before: Given, given: Given) -> Account:
    """Return an account with the names that follow the provider: those that nobody has changed here."""
    if before.own and account.display_name == before.display_name:
        account = replace(account, display_name=given.display_name)
    if before.own and account.email == before.email:
        email, email_key = checked_email(given.email)
        account = replace(account, email=email, email_key=email_key)
    return account
