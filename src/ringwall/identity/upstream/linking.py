"""Whose account somebody from a provider gets, and what the provider gives it.

An account is found by who the provider says that somebody is (issuer and subject), never by a name or an address alone:
both can be anybody's. What the provider gives an account, it also takes away again at the next sign-in; what was given
here stays.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from ringwall.identity.people.accounts import Accounts
from ringwall.identity.people.errors import AccountError, UserNameError
from ringwall.identity.people.journal import NOBODY, Journal
from ringwall.identity.people.profile import Profile, checked_attributes, checked_email
from ringwall.identity.store.accounts import Account
from ringwall.identity.store.database import Database
from ringwall.identity.store.links import Link
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

    async def _account(self, upstream: Upstream, identity: UpstreamIdentity, mapped: Mapped) -> str:
        for _ in range(_TRIES):
            outcome = await self.look(upstream, identity)
            if outcome.refused is not None:
                raise outcome.refused
            link = outcome.link or await self._link(upstream, identity, mapped, outcome.account)
            if link is not None and await self._update(upstream, link, mapped):
                return link.account
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
        link = await self._database.links.add(
            issuer=identity.issuer,
            subject=identity.subject,
            account=made.id,
            upstream=upstream.name,
            payload=_given(mapped, local_roles=made.roles, local_attributes=made.attributes, own=account is None),
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
                profile = Profile.checked(user_name=name, display_name=mapped.display_name, email=_kept_email(mapped))
            except (UserNameError, AccountError):
                continue
            if await self._database.accounts.by_name(profile.name_key) is None:
                try:
                    return await self._accounts.create(profile, by=NOBODY)
                except AccountError:
                    continue
        raise UpstreamRefusedError("user-name", "no user name could be found for a new account")

    async def _update(self, upstream: Upstream, link: Link, mapped: Mapped) -> bool:
        """Give the account what the provider says now, and take what it said before; False to look again.

        What the link gives is written before the account is, with what it gave before: whenever this breaks off, no
        role of the provider's is taken for one that was given here.
        """
        others = [each for each in await self._database.links.of_account(link.account) if each != link]
        before = _Given.of(link.payload)
        elsewhere = [_Given.of(each.payload) for each in others]
        found = await self._database.accounts.get(link.account)
        if found is None:
            return False
        provided = {*before.roles, *(role for each in elsewhere for role in each.roles)}
        local_roles = tuple(role for role in found.roles if role not in provided)
        from_elsewhere = {name for each in elsewhere for name in each.attributes}
        local = {name: value for name, value in found.attributes.items() if name not in before.attributes}
        given = _given(mapped, local_roles=local_roles, local_attributes=local, own=before.own)
        wider = {
            **given,
            "roles": sorted({*given["roles"], *before.roles}),
            "attributes": sorted({*given["attributes"], *before.attributes}),
        }
        now = self._clock.now()
        if not await self._database.links.use(link, upstream=upstream.name, payload=wider, now=now):
            return False
        kept_roles = {*given["roles"], *(role for each in elsewhere for role in each.roles)}
        values = {each.name: each.value for each in mapped.attributes if each.name in given["attributes"]}

        def change(was: Account) -> Account:
            mine = tuple(role for role in was.roles if role not in provided)
            return replace(
                was,
                roles=tuple(sorted({*mine, *kept_roles})),
                attributes=checked_attributes(
                    {
                        **{
                            name: value
                            for name, value in was.attributes.items()
                            if name not in before.attributes or name in from_elsewhere
                        },
                        **values,
                    }
                ),
                **_profile(was, before, given),  # type: ignore[arg-type]  # names of texts, all of them
            )

        try:
            account = await self._accounts.change(link.account, change, by=link.account)
        except AccountError as error:
            raise UpstreamRefusedError("attributes", error.message, hint=error.hint) from None
        if wider != given:
            await self._database.links.use(link, upstream=upstream.name, payload=given, now=now)
        if account.disabled is not None:
            raise NoAccountError("account-disabled", "the account is disabled")
        return True


@dataclass(frozen=True, slots=True)
class _Given:
    """What a link has given its account."""

    roles: tuple[str, ...]
    attributes: tuple[str, ...]
    display_name: str
    email: str
    own: bool

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> "_Given":
        return cls(
            tuple(payload.get("roles", ())),
            tuple(payload.get("attributes", ())),
            str(payload.get("display_name", "")),
            str(payload.get("email", "")),
            bool(payload.get("own", False)),
        )


def _given(
    mapped: Mapped,
    *,
    local_roles: Iterable[str],
    local_attributes: Mapping[str, Any],
    own: bool,
) -> dict[str, Any]:
    """Return what a provider gives an account that has `local_roles` and `local_attributes` of its own.

    `own`: the account was made for this link, so its names follow the provider's until somebody changes them here.
    """
    return {
        "roles": sorted({each.role for each in mapped.roles} - set(local_roles)),
        "attributes": sorted({each.name for each in mapped.attributes} - local_attributes.keys()),
        "display_name": mapped.display_name if own else "",
        "email": _kept_email(mapped) if own else "",
        "own": own,
    }


def _profile(was: Account, before: _Given, given: Mapping[str, Any]) -> dict[str, str]:
    """Return the names that follow the provider: those that nobody has changed here."""
    changed: dict[str, str] = {}
    if before.own and was.display_name == before.display_name:
        changed["display_name"] = given["display_name"]
    if before.own and was.email == before.email:
        changed["email"], changed["email_key"] = checked_email(given["email"])
    return changed


def _kept_email(mapped: Mapped) -> str:
    """Return the address that an account keeps: only one for which the provider's word is taken.

    Any other could be somebody else's, who would then be led to this account when they first come.
    """
    return mapped.email if mapped.authoritative else ""


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
