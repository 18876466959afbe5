"""Signing in, step by step. Each step's result is a type, and the next step takes nothing else.

    Identified ─ password ─▶ PasswordVerified ─ one-time password, recovery code ─▶ SignedIn
    a passkey ────────────────────────────────────────────────────────────────────▶ SignedIn

Whatever is wrong, the answer is one and the same SignInRefusedError; events say more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from ringwall.identity.people.credentials import Credentials
from ringwall.identity.people.errors import (
    PasskeyCopiedError,
    PasskeyRefusedError,
    PeopleError,
    SignInRefusedError,
    UserNameError,
)
from ringwall.identity.people.journal import NOBODY, Journal
from ringwall.identity.people.known_devices import KnownDevices
from ringwall.identity.people.names import normalised
from ringwall.identity.people.passkeys import PresentedPasskey, credential_text
from ringwall.identity.people.passwords import PasswordHasher
from ringwall.identity.people.throttle import Throttle, network_of
from ringwall.identity.store.database import Database
from ringwall.identity.store.passkeys import Passkey
from ringwall.model.clock import Clock
from ringwall.model.secret import Secret

SECOND_FACTOR_SECONDS: Final = 600.0
"""How long after the password the second factor must follow."""


class Acr(StrEnum):
    """How much a sign-in proves (`acr` of OpenID Connect Core, section 2); each holds for those before it."""

    INVITATION = "invitation"
    """A link that an administrator gave, once."""
    PASSWORD = "pwd"  # noqa: S105  # a name, not a password
    MULTI_FACTOR = "mfa"
    PHISHING_RESISTANT = "phr"
    """OpenID Connect Extended Authentication Profile, ACR values: here a passkey with verification of its user."""

    def satisfies(self, wanted: "Acr") -> bool:
        """Tell whether a sign-in of this kind will do where `wanted` is asked for."""
        order = list(Acr)
        return order.index(self) >= order.index(wanted)


class Factor(StrEnum):
    """What can be asked for after a password."""

    TOTP = "totp"
    RECOVERY_CODE = "recovery-code"
    PASSKEY = "passkey"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """What is known of a browser before anybody signs in.

    Attributes:
        source: client address as the edge saw it.
        binding: what only this browser has shown: its session, or the sign-in that it has begun.
        devices: tokens of sign-ins before, as `SignedIn.device_token` gave them.
    """

    source: str
    binding: str
    devices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Identified:
    """Somebody says who they are; whether there is such an account stays in here.

    Attributes:
        account: its id; empty where there is none.
        key: what attempts are counted by, whether it exists or not.
    """

    account: str
    key: str


@dataclass(frozen=True, slots=True)
class PasswordVerified:
    """Somebody knows the password.

    Attributes:
        account: its id.
        at: when, in seconds since the epoch.
        then: what is asked for next, each of which will do; empty where `finish` will.
    """

    account: str
    at: float
    then: frozenset[Factor]

    def payload(self) -> dict[str, Any]:
        """Return this as JSON, to be kept on the server until the next request, and never in the browser."""
        return {"account": self.account, "at": self.at, "then": sorted(self.then)}

    @classmethod
    def of_payload(cls, payload: Mapping[str, Any]) -> "PasswordVerified":
        """Read what `payload` gave."""
        return cls(str(payload["account"]), float(payload["at"]), frozenset(map(Factor, payload["then"])))


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """Somebody has proven who they are.

    Attributes:
        account: its id; `sub` of their tokens.
        acr: how much that proves.
        amr: by what means (RFC 8176).
        auth_time: when, in seconds since the epoch.
        device_token: for a cookie of this browser, so that it is known next time (`Visitor.devices`).
    """

    account: str
    acr: Acr
    amr: tuple[str, ...]
    auth_time: float
    device_token: str


class SignIn:
    """Takes people from saying who they are to having proven it."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        *,
        credentials: Credentials,
        hasher: PasswordHasher,
        throttle: Throttle,
        devices: KnownDevices,
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._credentials = credentials
        self._hasher = hasher
        self._throttle = throttle
        self._devices = devices

    async def identify(self, user_name: str) -> Identified:
        """Take a user name as typed. Nothing that can be seen tells whether there is such an account."""
        try:
            key = normalised(user_name)
        except UserNameError:
            return Identified("", "no name")
        found = await self._database.accounts.by_name(key)
        return Identified("", f"name:{key}") if found is None else Identified(found.id, found.id)

    async def verify_password(self, who: Identified, password: Secret, visitor: Visitor) -> PasswordVerified:
        """Verify a password; SignInRefusedError, or TooManyAttemptsError before it is even looked at.

        1. Pay for the attempt, so that many at once gain nothing.
        2. Compare, in the same time whether there is such an account or not.
        3. Only now look whether the account is disabled, or its password over.
        4. Give the attempt back, and renew a hash that is weaker than those made today.
        5. Say what is asked for next.
        """
        device = self._devices.recognised(visitor.devices, who.account) if who.account else ""
        admission = await self._throttle.admit_password(account=who.key, source=visitor.source, device=device)  # 1
        kept = await self._database.passwords.get(who.account)
        try:
            verdict = await self._hasher.verify(password, None if kept is None else kept.encoded.reveal().decode())  # 2
        except PeopleError as error:
            if isinstance(error, SignInRefusedError) or kept is None:
                raise
            raise await self._refused("password-unreadable", who.account, visitor) from error
        if kept is None or not verdict.right:
            raise await self._refused("wrong-password", who.account, visitor)
        account = await self._database.accounts.get(who.account)  # 3
        now = self._clock.now()
        if account is None or account.disabled is not None:
            raise await self._refused("account-disabled", who.account, visitor)
        if kept.expires is not None and kept.expires <= now:
            raise await self._refused("password-expired", who.account, visitor)
        await admission.was_right()  # 4
        if verdict.renew:
            fresh = Secret(await self._hasher.hash(password))
            await self._database.passwords.rehash(who.account, former=kept.encoded, encoded=fresh)
        return PasswordVerified(who.account, now, await self._then(who.account))  # 5

    async def finish(self, verified: PasswordVerified, visitor: Visitor) -> SignedIn:
        """Sign somebody in by the password alone; SignInRefusedError where more is asked for."""
        await self._check_fresh(verified, visitor)
        if await self._then(verified.account):
            raise await self._refused("second-factor-missing", verified.account, visitor)
        return await self._done(verified.account, Acr.PASSWORD, ("pwd",))

    async def verify_totp(self, verified: PasswordVerified, code: str, visitor: Visitor) -> SignedIn:
        """Sign somebody in by a code of their authenticator app, after the password."""
        await self._check_fresh(verified, visitor)
        admission = await self._throttle.admit_second_factor(account=verified.account)
        try:
            await self._credentials.use_totp(verified.account, code)
        except SignInRefusedError as error:
            raise await self._refused("wrong-totp", verified.account, visitor) from error
        await admission.was_right()
        return await self._done(verified.account, Acr.MULTI_FACTOR, ("pwd", "otp", "mfa"))

    async def verify_recovery_code(self, verified: PasswordVerified, typed: str, visitor: Visitor) -> SignedIn:
        """Sign somebody in by a recovery code, after the password; the code is used up."""
        await self._check_fresh(verified, visitor)
        admission = await self._throttle.admit_second_factor(account=verified.account)
        try:
            await self._credentials.use_recovery_code(verified.account, typed)
        except SignInRefusedError as error:
            raise await self._refused("wrong-recovery-code", verified.account, visitor) from error
        await admission.was_right()
        left = await self._database.recovery.left(verified.account)
        await self._journal.note("recovery-code-used", by=verified.account, account=verified.account, left=left)
        return await self._done(verified.account, Acr.MULTI_FACTOR, ("pwd", "otp", "mfa"))

    def passkey_options(self, visitor: Visitor) -> dict[str, Any]:
        """Return the options with which a browser asks for a passkey; the same whoever is going to sign in."""
        return self._credentials.passkeys.sign_in_options(binding=visitor.binding)

    async def verify_passkey(self, answer: bytes, visitor: Visitor) -> SignedIn:
        """Sign somebody in by a passkey, which says by itself whose it is; PasskeyRefusedError."""
        presented = self._credentials.passkeys.presented(answer)
        known = await self._database.passkeys.get(presented.credential)
        if known is None:
            raise await self._refused("unknown-passkey", "", visitor)
        account = await self._database.accounts.get(known.account)
        if account is None or account.disabled is not None:
            raise await self._refused("account-disabled", known.account, visitor)
        await self._use_passkey(presented, known, visitor)
        return await self._done(
            known.account, Acr.PHISHING_RESISTANT, ("pop", "user", "mfa"), passkey=credential_text(known.credential)
        )

    async def _use_passkey(self, presented: PresentedPasskey, known: Passkey, visitor: Visitor) -> None:
        try:
            use = await self._credentials.passkeys.verify_sign_in(
                presented,
                binding=visitor.binding,
                account=known.account,
                public_key=known.public_key,
                sign_count=known.sign_count,
                backup_eligible=bool(known.payload["backup_eligible"]),
            )
            if not await self._database.passkeys.use(
                known.credential, sign_count=use.sign_count, now=self._clock.now()
            ):
                raise await self._refused("passkey-raced", known.account, visitor)
        except PasskeyCopiedError:
            await self._journal.note(
                "passkey-copied", by=NOBODY, account=known.account, passkey=credential_text(known.credential)
            )
            raise
        except PasskeyRefusedError as error:
            raise await self._refused("wrong-passkey", known.account, visitor) from error

    async def _then(self, account: str) -> frozenset[Factor]:
        """Return what is asked for after the password."""
        overview = await self._credentials.overview(account)
        if not overview.totp:
            return frozenset()
        then = {Factor.TOTP}
        if overview.recovery_codes:
            then.add(Factor.RECOVERY_CODE)
        if overview.passkeys:
            then.add(Factor.PASSKEY)
        return frozenset(then)

    async def _check_fresh(self, verified: PasswordVerified, visitor: Visitor) -> None:
        """Refuse a step that is too old, or whose account or password has changed since."""
        account = await self._database.accounts.get(verified.account)
        kept = await self._database.passwords.get(verified.account)
        now = self._clock.now()
        if (
            account is None
            or account.disabled is not None
            or kept is None
            or kept.changed > verified.at
            or not 0 <= now - verified.at <= SECOND_FACTOR_SECONDS
        ):
            raise await self._refused("password-step-over", verified.account, visitor)

    async def _done(self, account: str, acr: Acr, amr: tuple[str, ...], **detail: Any) -> SignedIn:
        await self._journal.note("signed-in", by=account, account=account, acr=acr.value, amr=list(amr), **detail)
        return SignedIn(
            account=account,
            acr=acr,
            amr=amr,
            auth_time=self._clock.now(),
            device_token=self._devices.issue(account),
        )

    async def _refused(self, reason: str, account: str, visitor: Visitor) -> SignInRefusedError:
        """Write down why, and return the one refusal that is told.

        A name that is unknown is written nowhere: people type passwords into the wrong field.
        """
        await self._journal.note(
            "sign-in-refused", by=NOBODY, account=account, reason=reason, source=network_of(visitor.source)
        )
        return SignInRefusedError()
