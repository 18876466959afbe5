"""What SCIM clients do to users: find, make, replace, change, delete."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from ringwall.identity.issuer.scim.attributes import ResourceType
from ringwall.identity.issuer.scim.caller import Caller
from ringwall.identity.issuer.scim.errors import ScimError, invalid_value
from ringwall.identity.issuer.scim.if_match import IfMatch
from ringwall.identity.issuer.scim.last_administrator import Guard, Spare
from ringwall.identity.issuer.scim.users import UserForm, WantedUser, version_of
from ringwall.identity.people.credentials import about_of
from ringwall.identity.people.errors import (
    AccountTakenError,
    OvertakenError,
    PasswordRefusedError,
    PeopleError,
    UserNameError,
)
from ringwall.identity.people.names import normalised
from ringwall.identity.people.profile import checked_email
from ringwall.identity.store.accounts import Account
from ringwall.model.clock import Clock

if TYPE_CHECKING:
    from ringwall.identity.people.people import People

MAX_EXTERNAL_ID: Final = 256
MOST_FOUND: Final = 1000
"""By an external id or an e-mail address, which need not be unique."""

Form = Callable[[dict[str, Any]], dict[str, Any]]


class UserProvisioning:
    """Users, as one caller sees and changes them.

    Args:
        services: what there is about people.
        of: the type, as the plan makes it.
        form: turns accounts into resources and back.
        caller: who asks.
        clock: where time comes from.
        spare: guards what takes something from accounts.
    """

    def __init__(
        self, services: "People", *, of: ResourceType, form: UserForm, caller: Caller, clock: Clock, spare: Spare
    ) -> None:
        self.of = of
        self._guard = Guard(services, spare=spare, by=caller.name)
        self._services = services
        self._form = form
        self._caller = caller
        self._clock = clock

    # What `query.Source` asks for

    async def look_up(self, attribute: str, value: str) -> Sequence[dict[str, Any]] | None:
        """Return users by an indexed attribute; of the e-mail addresses the primary one is."""
        accounts = self._services.database.accounts
        found: list[Account | None]
        if attribute == "id":
            found = [await accounts.get(value)]
        elif attribute == "userName":
            try:
                found = [await accounts.by_name(normalised(value))]
            except UserNameError:
                found = []
        elif attribute == "externalId":
            ids = await self._services.database.external_ids.find(self._caller.client, value, limit=MOST_FOUND)
            found = [await accounts.get(each) for each in ids]
        elif attribute == "emails.value":
            found = list(await accounts.by_email(_email_key(value), limit=MOST_FOUND))
        else:
            return None
        return [resource for _, resource in await self._told([each for each in found if each is not None])]

    async def page(self, after: str, limit: int) -> Sequence[tuple[str, dict[str, Any]]]:
        """Return users that follow one, in the order of their names."""
        return await self._told(await self._services.accounts.page(after=after, limit=limit))

    async def key_at(self, place: int) -> str | None:
        """Return the key of the user at a place."""
        return await self._services.database.accounts.key_at(place)

    async def count(self) -> int:
        """Return how many users there are."""
        return await self._services.database.accounts.count()

    async def _told(self, accounts: Sequence[Account]) -> list[tuple[str, dict[str, Any]]]:
        called = await self._services.database.external_ids.of(self._caller.client, [each.id for each in accounts])
        return [(each.name_key, self._form.told(each, called.get(each.id, ""))) for each in accounts]

    # One user

    async def get(self, identifier: str) -> dict[str, Any]:
        """Return a user (RFC 7644, section 3.4.1)."""
        account, external_id = await self._found(identifier)
        return self._form.told(account, external_id)

    async def create(self, given: dict[str, Any]) -> dict[str, Any]:
        """Make a user (RFC 7644, section 3.3); its roles are the caller's to give, and it is managed by the caller."""
        wanted = self._form.wanted(self._form.replaced(given, None, ""), None)
        self._caller.may_give(wanted.profile.roles)
        profile = wanted.profile
        about = (profile.user_name, profile.display_name, profile.email)
        encoded = await self._encoded(wanted, about)
        _check_external_id(wanted)
        try:
            account = await self._services.accounts.create(
                profile,
                more=wanted.more,
                manager=self._caller.manager,
                disabled=not wanted.active,
                by=self._caller.name,
            )
        except AccountTakenError as error:
            raise ScimError(409, "uniqueness", error.message) from None
        if encoded is not None:
            await self._services.credentials.set_checked(account.id, encoded, by=self._caller.name)
        await self._services.database.external_ids.set(self._caller.client, account.id, wanted.external_id)
        return await self.get(account.id)

    async def replace(self, identifier: str, given: dict[str, Any], match: IfMatch) -> dict[str, Any]:
        """Replace a user (RFC 7644, section 3.5.1); if its version is as the request says."""
        account, external_id = await self._found(identifier)
        return await self._change(
            account,
            external_id,
            lambda was: self._form.wanted(self._form.replaced(given, was, external_id), was),
            match,
        )

    async def patch(self, identifier: str, form: Form, match: IfMatch) -> dict[str, Any]:
        """Change a user as `form` changes its resource (RFC 7644, section 3.5.2)."""
        account, external_id = await self._found(identifier)
        return await self._change(
            account,
            external_id,
            lambda was: self._form.wanted(form(self._form.told(was, external_id)), was),
            match,
        )

    async def delete(self, identifier: str, match: IfMatch) -> None:
        """Delete a user (RFC 7644, section 3.6)."""
        account, external_id = await self._found(identifier)
        match.check(version_of(account, external_id))
        self._caller.may_delete(account)
        await self._guard.delete(account)

    async def _change(
        self,
        account: Account,
        external_id: str,
        wanted_of: Callable[[Account], WantedUser],
        match: IfMatch,
    ) -> dict[str, Any]:
        """Change an account to what is wanted of it.

        1. The version is the one that the request was made for, if it says so (RFC 7644, section 3.14). 2. Everything
        is checked before anything is changed. 3. What is wanted is made out anew from the account as it is when it is
        changed, and so is whether the caller may change it so; two who change it at once do not undo each other.
        """
        match.check(version_of(account, external_id))  # 1
        first = wanted_of(account)
        self._judge(account, first, external_id)  # 2
        encoded = await self._encoded(first, about_of(first.applied(account, now=0.0)))

        def change(was: Account) -> Account:  # 3
            if was.version != account.version:
                match.check(version_of(was, external_id))
            wanted = wanted_of(was)
            self._judge(was, wanted, external_id)
            return wanted.applied(was, now=self._clock.now())

        try:
            await self._guard.change(account, change)
        except AccountTakenError as error:
            raise ScimError(409, "uniqueness", error.message) from None
        except OvertakenError as error:
            raise ScimError(412, "", error.message) from None
        if encoded is not None:
            await self._services.credentials.set_checked(account.id, encoded, by=self._caller.name)
        if first.external_id != external_id:
            await self._services.database.external_ids.set(self._caller.client, account.id, first.external_id)
        return await self.get(account.id)

    def _judge(self, was: Account, wanted: WantedUser, external_id: str) -> None:
        _check_external_id(wanted)
        if wanted.external_id != external_id:
            self._caller.may_call_it_otherwise(was)
        after = wanted.applied(was, now=self._clock.now())
        self._caller.may_change(was, after, password=wanted.password is not None)

    async def _encoded(self, wanted: WantedUser, about: Sequence[str]) -> str | None:
        if wanted.password is None:
            return None
        try:
            return await self._services.credentials.checked_password(wanted.password, about)
        except PasswordRefusedError as error:
            raise invalid_value(f"{error.message}; {error.hint}" if error.hint else error.message) from None

    async def _found(self, identifier: str) -> tuple[Account, str]:
        account = await self._services.database.accounts.get(identifier)
        if account is None:
            raise ScimError(404, "", f"there is no user {identifier[:80]!r}")
        called = await self._services.database.external_ids.of(self._caller.client, [account.id])
        return account, called.get(account.id, "")


def _check_external_id(wanted: WantedUser) -> None:
    if len(wanted.external_id) > MAX_EXTERNAL_ID:
        raise invalid_value(f"`externalId` has at most {MAX_EXTERNAL_ID} characters")


def _email_key(text: str) -> str:
    try:
        return checked_email(text)[1]
    except PeopleError:
        return ""
