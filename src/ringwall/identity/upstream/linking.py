"""Whose account somebody from a provider gets, and what the provider gives it.

An account is found by who the provider says that somebody is (issuer and subject), never by a name or an address alone:
both can be anybody's. What the provider gives an account, it also takes away again at the next sign-in; what was given
here stays.
"""

import hashlib
from dataclasses import dataclass, replace
from typing import Final

from ringwall.identity.people.accounts import Accounts
from ringwall.identity.people.errors import AccountError, UserNameError
from ringwall.identity.people.journal import NOBODY, Journal
from ringwall.identity.people.profile import Profile, checked_email
from ringwall.identity.store.accounts import Account
from ringwall.identity.store.database import Database
from ringwall.identity.store.links import Link
from ringwall.identity.upstream.giving import Given, Giver, kept_email
from ringwall.identity.upstream.identity import NoAccountError, UpstreamIdentity, UpstreamRefusedError
from ringwall.identity.upstream.mapping import Mapped, domain_of, map_claims, tenant_allowed
from ringwall.model.clock import Clock
from ringwall.plan.upstream import Upstream

_MAX_SUBJECT: Final = 1000
_TRIES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What would come of a sign-in; for the dry run, and the first half of the real one.

    Attributes:
        account: whose it is; None where one would be made, or nobody gets in.
        link: by which it is found; None where there is none yet.
        refused: why nobody gets in; None where somebody does.
        how: in words, how the account is found.
    """

    account: Account | None = None
    link: Link | None = None
    refused: NoAccountError | UpstreamRefusedError | None = None
    how: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamSignedIn:
    """Somebody has signed in at a provider, and has an account here.

    Attributes:
        account: its id.
        level: how surely they signed in, as the plan takes the provider's word.
    """

    account: str
    level: str


class Linking:
    """Finds, makes and links accounts."""

    def __init__(self, database: Database, journal: Journal, clock: Clock, *, accounts: Accounts) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._accounts = accounts
        self._giver = Giver(database, clock, accounts=accounts)

    async def look(self, upstream: Upstream, identity: UpstreamIdentity) -> Outcome:
        """Say whose account somebody would get; changes nothing.

        1. They are of a tenant whose people may sign in. 2. Somebody who is linked has that account and no other, if it
        is not disabled. 3. A verified address finds an account only where the plan takes the provider's word for the
        address's domain, where exactly one account has it, and nobody else of that provider has that account: an
        address can be typed in, and given to another person. 4. Else they get an account if the plan says so.
        """
        if not 0 < len(identity.subject) <= _MAX_SUBJECT:
            return Outcome(refused=UpstreamRefusedError("subject", "the provider names nobody"))
        mapped = map_claims(upstream, identity.claims)
        if not tenant_allowed(upstream, identity.claims):  # 1
            where = ".".join(upstream.tenant_claim)
            message = f"`{where}` is none of the tenants whose people may sign in"
            return Outcome(refused=NoAccountError("tenant", message, hint="`tenants` in the blueprint lists them"))
        link = await self._database.links.get(identity.issuer, identity.subject)
        if link is not None:  # 2
            account = await self._database.accounts.get(link.account)
            if account is not None:
                return _unless_disabled(Outcome(account=account, link=link, how="linked to it by issuer and subject"))
        if mapped.authoritative:  # 3
            found = await self._by_email(identity, mapped.email)
            if found is not None:
                return found
        return _would_create(upstream, mapped)  # 4

    async def sign_in(self, upstream: Upstream, identity: UpstreamIdentity, *, source: str) -> UpstreamSignedIn:
        """Return the account of somebody whom a provider has just signed in, brought up to date.

        Args:
            upstream: the provider, in the plan.
            identity: who they are there.
            source: network of the browser, for the event.

        Raises:
            NoAccountError: they may not have one, or it is disabled.
            UpstreamRefusedError: what the provider says cannot be kept.
        """
        mapped = map_claims(upstream, identity.claims)
        try:
            account = await self._account(upstream, identity, mapped)
        except (NoAccountError, UpstreamRefusedError) as error:
            await self._journal.note(
                "sign-in-refused", by=NOBODY, reason=f"upstream-{error.reason}", upstream=upstream.name, source=source
            )
            raise
        await self._journal.note(
            "signed-in", by=account, account=account, acr=mapped.level, amr=[], upstream=upstream.name
        )
        return UpstreamSignedIn(account=account, level=mapped.level)

    async def links_of(self, account: str) -> tuple[Link, ...]:
        """Return the links of an account."""
        return await self._database.links.of_account(account)

    async def link(self, upstream: Upstream, account: Account, *, issuer: str, subject: str, by: str) -> None:
        """Link somebody to an account by hand; NoAccountError where they are linked already.

        Args:
            upstream: the provider, in the plan.
            account: whose it is to be.
            issuer: the provider's `iss`.
            subject: who they are there.
            by: as in `Journal.note`.
        """
        if not 0 < len(subject) <= _MAX_SUBJECT:
            raise NoAccountError("subject", f"a subject has 1 to {_MAX_SUBJECT} characters")
        made = await self._database.links.add(
            issuer=issuer,
            subject=subject,
            account=account.id,
            upstream=upstream.name,
            payload=Given().payload(),
            now=self._clock.now(),
        )
        if made is None:
            raise NoAccountError(
                "linked", "somebody's account is linked to this person already", hint="unlink it first"
            )
        await self._journal.note("account-linked", by=by, account=account.id, upstream=upstream.name, issuer=issuer)

    async def unlink(self, upstream: Upstream, account: Account, *, by: str) -> int:
        """Part an account from everybody of a provider, with the roles and attributes that came of it; return how many.

        Sessions go on, and end where a role is lost with the link.
        """
        found = [link for link in await self.links_of(account.id) if link.upstream == upstream.name]
        for link in found:
            await self._giver.give(link, Mapped(), upstream=upstream.name, by=by, names=False)
            await self._database.links.remove(link)
            await self._journal.note(
                "account-unlinked", by=by, account=account.id, upstream=upstream.name, issuer=link.issuer
            )
        return len(found)

    async def _account(self, upstream: Upstream, identity: UpstreamIdentity, mapped: Mapped) -> str:
        for _ in range(_TRIES):
            outcome = await self.look(upstream, identity)
            if outcome.refused is not None:
                raise outcome.refused
            link = outcome.link or await self._link(upstream, identity, mapped, outcome.account)
            brought = None
            if link is not None:
                brought = await self._giver.give(link, mapped, upstream=upstream.name, by=link.account)
            if brought is not None and brought.disabled is not None:
                raise NoAccountError("account-disabled", "the account is disabled")
            if brought is not None:
                return brought.id
        raise UpstreamRefusedError("busy", "the account is being changed by others at this moment")

    async def _by_email(self, identity: UpstreamIdentity, email: str) -> Outcome | None:
        accounts = await self._database.accounts.by_email(checked_email(email)[1])
        if not accounts:
            return None
        if len(accounts) > 1:
            message = f"several accounts have the address {email}"
            return Outcome(refused=NoAccountError("address-of-several", message, hint="link one of them by hand"))
        links = await self._database.links.of_account(accounts[0].id)
        if any(link.issuer == identity.issuer for link in links):
            message = f"the account with the address {email} is another person's of this provider"
            return Outcome(refused=NoAccountError("address-of-another", message, hint="addresses are given to others"))
        return _unless_disabled(Outcome(account=accounts[0], how=f"by the verified address {email}"))

    async def _link(
        self, upstream: Upstream, identity: UpstreamIdentity, mapped: Mapped, account: Account | None
    ) -> Link | None:
        """Link somebody to an account, which is made where there is none; None where somebody else was faster."""
        made = account if account is not None else await self._create(upstream, identity, mapped)
        given = Given.to(mapped, roles=made.roles, attributes=made.attributes, own=account is None)
        link = await self._database.links.add(
            issuer=identity.issuer,
            subject=identity.subject,
            account=made.id,
            upstream=upstream.name,
            payload=given.payload(),
            now=self._clock.now(),
        )
        if link is None:
            if account is None:
                await self._accounts.delete(made.id, by=made.id)
            return None
        await self._journal.note(
            "account-linked", by=made.id, account=made.id, upstream=upstream.name, issuer=identity.issuer
        )
        return link

    async def _create(self, upstream: Upstream, identity: UpstreamIdentity, mapped: Mapped) -> Account:
        """Make an account; a name that somebody has already never leads to theirs."""
        for name in _names(upstream, identity, mapped):
            try:
                profile = Profile.checked(user_name=name, display_name=mapped.display_name, email=kept_email(mapped))
                return await self._accounts.create(profile, by=NOBODY)
            except (UserNameError, AccountError):
                continue
        raise UpstreamRefusedError("user-name", "no user name could be found for a new account")


def _unless_disabled(outcome: Outcome) -> Outcome:
    if outcome.account is not None and outcome.account.disabled is not None:
        message = f"the account {outcome.account.user_name} is disabled"
        return replace(outcome, refused=NoAccountError("account-disabled", message))
    return outcome


def _would_create(upstream: Upstream, mapped: Mapped) -> Outcome:
    if not upstream.create:
        message = "nobody has linked an account to this person"
        return Outcome(
            refused=NoAccountError("no-account", message, hint="`accounts: create` makes accounts by itself")
        )
    if upstream.create_for and (not mapped.email or domain_of(mapped.email) not in upstream.create_for):
        message = "accounts are made for verified addresses in certain domains only"
        return Outcome(refused=NoAccountError("domain", message, hint="`create_for` in the blueprint lists them"))
    return Outcome(how="a new account")


def _names(upstream: Upstream, identity: UpstreamIdentity, mapped: Mapped) -> tuple[str, ...]:
    """Return user names to try: the provider's, the same with its name, and one that nobody else can have."""
    unique = hashlib.sha256(f"{identity.issuer}\n{identity.subject}".encode(errors="surrogatepass")).hexdigest()[:12]
    given = (mapped.user_name, f"{mapped.user_name}-{upstream.name}") if mapped.user_name else ()
    return (*given, f"{upstream.name}-{unique}")
