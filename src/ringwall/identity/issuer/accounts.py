"""The issuer's people: accounts in the database, and the development users of the blueprint beside them."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from ringwall.identity.issuer.assurance import Proof
from ringwall.identity.issuer.directory import Directory, LiveDirectory
from ringwall.identity.issuer.people import (
    ClaimPairs,
    Person,
    SecondFactor,
    SignInFailedError,
    Visitor,
    development_people,
    development_person,
)
from ringwall.identity.issuer.storage import Storage
from ringwall.identity.keystore import KeyStore
from ringwall.identity.people.errors import (
    BusyError,
    PasskeyCopiedError,
    PasskeysUnavailableError,
    PeopleError,
    TooManyAttemptsError,
)
from ringwall.model.clock import Clock
from ringwall.model.secret import Secret
from ringwall.plan.identity import ClaimType

if TYPE_CHECKING:
    from ringwall.identity.people import passwords, sign_in
    from ringwall.identity.people import people as services
    from ringwall.identity.store.holders import Holder

_WRONG: Final = "The user name or the password is wrong."
_WRONG_CODE: Final = "This code is not right, or was used already."
_WRONG_PASSKEY: Final = "This passkey is not known here, or it took too long. Try again, or use another way."
_COPIED: Final = (
    "There is a copy of this passkey, so it is not taken any more. "
    "Sign in another way, and remove it from your account."
)


class IssuerPeople:
    """Finds people and signs them in. What the services need is loaded and opened when somebody first does."""

    def __init__(
        self,
        *,
        storage: Storage,
        directory: LiveDirectory,
        keystore: KeyStore,
        clock: Clock,
        token_seconds: float,
        cost: "passwords.Cost | None" = None,
    ) -> None:
        """Remember what to open; `cost` of a password hash is measured where it is not given."""
        self._storage = storage
        self._cost = cost
        self._directory = directory
        self._keystore = keystore
        self._clock = clock
        self._token_seconds = token_seconds
        self._services: services.People | None = None
        self._opening = asyncio.Lock()

    async def services(self) -> "services.People":
        """Return the services of `ringwall.identity.people` over the issuer's database."""
        async with self._opening:
            if self._services is None:
                from ringwall.identity.people.people import People  # noqa: PLC0415  # not on the way to a start

                directory = self._directory.current()
                self._services = People.over(
                    await self._storage.database(),
                    keystore=self._keystore,
                    clock=self._clock,
                    issuer=directory.issuer,
                    system=directory.audience,
                    token_seconds=self._token_seconds,
                    cost=self._cost,
                )
            return self._services

    async def find(self, subject: str) -> Person | None:
        """Return a development user by name, or a person by the id of an account that is not disabled."""
        directory = self._directory.current()
        if (person := development_person(subject, directory)) is not None:
            return person
        return _person(await (await self._storage.database()).accounts.get(subject), directory)

    def known(self, subject: str, holder: "Holder | None") -> Person | None:
        """Return the same as `find` of somebody of whom the database was asked already."""
        directory = self._directory.current()
        return development_person(subject, directory) or _person(holder, directory)

    async def check_password(self, user_name: str, password: Secret, visitor: Visitor) -> Proof | SecondFactor:
        """Return what a password proves; what is wrong is told alike, whatever it is."""
        sign_in = (await self.services()).sign_in
        known = _visitor(visitor)
        try:
            who = await sign_in.identify(user_name)
            verified = await sign_in.verify_password(who, password, known)
            if verified.then:
                return SecondFactor(kept=verified.payload(), ways=frozenset(way.value for way in verified.then))
            return _proof(await sign_in.finish(verified, known))
        except PeopleError as error:
            raise _failed(error, _WRONG) from None

    async def check_second_factor(self, kept: dict[str, Any], way: str, code: str, visitor: Visitor) -> Proof:
        """Return what a code of an app, or a recovery code, proves after the password."""
        from ringwall.identity.people.sign_in import PasswordVerified  # noqa: PLC0415  # not on the way to a start

        sign_in = (await self.services()).sign_in
        verified = PasswordVerified.of_payload(kept)
        check = sign_in.verify_recovery_code if way == "recovery-code" else sign_in.verify_totp
        try:
            return _proof(await check(verified, code, _visitor(visitor)))
        except PeopleError as error:
            raise _failed(error, _WRONG_CODE) from None

    async def must_set_up(self, subject: str) -> bool:
        """Return whether an account has no password and no passkey."""
        if await (await self._storage.database()).accounts.get(subject) is None:
            return False
        return (await (await self.services()).credentials.overview(subject)).alone == 0

    async def passkey_options(self, binding: str) -> dict[str, Any] | None:
        """Return the options of `navigator.credentials.get()`; None where the issuer has an address and no name."""
        try:
            return (await self.services()).sign_in.passkey_options(_visitor(Visitor(source="", binding=binding)))
        except PasskeysUnavailableError:
            return None

    async def check_passkey(self, answer: str, visitor: Visitor) -> Proof:
        """Return what a passkey proves, which says by itself whose it is."""
        try:
            sign_in = (await self.services()).sign_in
            return _proof(await sign_in.verify_passkey(answer.encode("utf-8", "replace"), _visitor(visitor)))
        except PasskeyCopiedError:
            raise SignInFailedError(_COPIED) from None
        except PeopleError as error:
            raise _failed(error, _WRONG_PASSKEY) from None

    def pickable(self) -> tuple[Person, ...]:
        """Return the development users."""
        return development_people(self._directory.current())

    def close(self) -> None:
        """End what the services have started; the database is closed by whoever opened it."""
        if self._services is not None:
            self._services.close()


def _visitor(visitor: Visitor) -> "sign_in.Visitor":
    from ringwall.identity.people.sign_in import Visitor as Known  # noqa: PLC0415  # not on the way to a start

    return Known(source=visitor.source, binding=visitor.binding, devices=visitor.devices)


def _proof(done: "sign_in.SignedIn") -> Proof:
    return Proof(subject=done.account, acr=done.acr.value, amr=done.amr, device=done.device_token)


def _failed(error: PeopleError, message: str) -> SignInFailedError:
    if isinstance(error, TooManyAttemptsError):
        return SignInFailedError("There were too many attempts. Try again later.", wait=error.wait)
    if isinstance(error, BusyError):
        return SignInFailedError("Too many people sign in at this moment. Try again in a few seconds.", wait=5)
    return SignInFailedError(message)


def _person(account: "Holder | None", directory: Directory) -> Person | None:
    """Return who may sign in with an account, in the plan's terms: roles there are, claims of the declared types."""
    if account is None or account.disabled is not None:
        return None
    return Person(
        name=account.id,
        user_name=account.user_name,
        display_name=account.display_name or account.user_name,
        email=account.email,
        roles=tuple(role for role in account.effective_roles if role in directory.roles),
        claims=_claims(account, directory.claim_types),
    )


def _claims(account: "Holder", types: Mapping[str, ClaimType]) -> ClaimPairs:
    """Return the attributes that the plan declares as claims; one of another type is left out, as if it were absent."""
    found: list[tuple[str, str | int | bool | tuple[str, ...]]] = []
    for name, declared in sorted(types.items()):
        value = account.groups if name == "groups" else account.attributes.get(name)
        if declared is ClaimType.STRING_SET and isinstance(value, list | tuple):
            found.append((name, tuple(str(item) for item in value)))
        elif (
            (declared is ClaimType.STRING and isinstance(value, str))
            or (declared is ClaimType.BOOL and isinstance(value, bool))
            or (declared is ClaimType.LONG and type(value) is int)
        ):
            found.append((name, value))
    return tuple(found)
