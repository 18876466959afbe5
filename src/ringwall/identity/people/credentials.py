"""The ways in which a person can sign in to an account: set, shown, taken away.

The caller has made sure that it is the person, by a sign-in that is fresh enough, or an administrator.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ringwall.identity.people import recovery, totp
from ringwall.identity.people.accounts import Accounts
from ringwall.identity.people.errors import CredentialError, PasskeysUnavailableError, SignInRefusedError
from ringwall.identity.people.journal import Journal
from ringwall.identity.people.passkeys import Passkeys, credential_text
from ringwall.identity.people.password_rules import PasswordRules
from ringwall.identity.people.passwords import PasswordHasher
from ringwall.identity.people.pending_apps import NewApp, PendingApps
from ringwall.identity.people.profile import checked_display_name
from ringwall.identity.people.throttle import Throttle
from ringwall.identity.sealing import Sealer
from ringwall.identity.store.accounts import Account
from ringwall.identity.store.database import Database
from ringwall.identity.store.errors import ConflictError
from ringwall.identity.store.passkeys import Passkey
from ringwall.model.clock import Clock
from ringwall.model.secret import Secret

MOST_PASSKEYS: Final = 20
_ONLY_WAY: Final = "it is the only way to sign in to this account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """How a person can sign in.

    Attributes:
        password_changed: when the password was chosen, or None where there is none.
        passkeys: the oldest first.
        totp: whether an authenticator app is in use.
        recovery_codes: how many are left.
    """

    password_changed: float | None
    passkeys: tuple[Passkey, ...]
    totp: bool
    recovery_codes: int

    @property
    def alone(self) -> int:
        """How many of them suffice to begin a sign-in."""
        return len(self.passkeys) + (self.password_changed is not None)


class Credentials:
    """What accounts are signed in to with."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        *,
        accounts: Accounts,
        hasher: PasswordHasher,
        rules: PasswordRules,
        passkeys: Passkeys | None,
        throttle: Throttle,
        sealer: Sealer,
        pending: PendingApps,
        issuer_name: str,
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._accounts = accounts
        self._hasher = hasher
        self._rules = rules
        self._passkeys = passkeys
        self._throttle = throttle
        self._sealer = sealer
        self._pending = pending
        self._issuer_name = issuer_name

    async def overview(self, account: str) -> Overview:
        """Return the ways in which somebody can sign in to an account."""
        password = await self._database.passwords.get(account)
        app = await self._database.totp.get(account)
        return Overview(
            password_changed=None if password is None else password.changed,
            passkeys=tuple(await self._database.passkeys.of_account(account)),
            totp=app is not None,
            recovery_codes=await self._database.recovery.left(account),
        )

    # Passwords

    async def checked_password(self, password: Secret, about: Sequence[str]) -> str:
        """Return the hash of a new password; PasswordRefusedError where it is not to be used."""
        form = await self._hasher.elsewhere(lambda: self._rules.check(password, about=about))
        return await self._hasher.hash(form)

    async def set_password(self, account: str, password: Secret, *, by: str, spared: str = "") -> None:
        """Set a password, and end every session but the `spared` one: who knew the old one may be in one of them."""
        found = await self._accounts.get(account)
        encoded = await self.checked_password(password, about_of(found))
        await self.set_checked(account, encoded, by=by, spared=spared)

    async def set_checked(self, account: str, encoded: str, *, by: str, spared: str = "") -> None:
        """Set what `checked_password` has returned, as `set_password` does."""
        await self._database.passwords.set(account, Secret(encoded), now=self._clock.now())
        await self._journal.note("password-set", by=by, account=account)
        await self._accounts.end_sessions(account, by=by, spared=spared)

    async def remove_password(self, account: str, *, by: str) -> None:
        """Take the password away; CredentialError where nothing else is left to sign in with."""
        await self._must_keep_a_way(account)
        if not await self._database.passwords.remove(account):
            raise CredentialError("the account has no password")
        await self._journal.note("password-removed", by=by, account=account)

    # Passkeys

    async def begin_passkey(self, account: str, *, binding: str) -> dict[str, Any]:
        """Return the options for a browser to make a passkey; `binding` as in `Challenges.issue`."""
        found = await self._accounts.get(account)
        known = await self._database.passkeys.of_account(account)
        if len(known) >= MOST_PASSKEYS:
            raise CredentialError(f"an account has at most {MOST_PASSKEYS} passkeys", hint="remove one")
        return self.passkeys.registration_options(
            binding=binding,
            account=account,
            user_name=found.user_name,
            display_name=found.display_name,
            known=[each.credential for each in known],
        )

    async def add_passkey(self, account: str, answer: bytes, *, binding: str, name: str, by: str) -> Passkey:
        """Keep the passkey that a browser has made; PasskeyRefusedError where the answer is not believed."""
        name = checked_display_name(name) or "passkey"
        await self._accounts.get(account)
        made = await self.passkeys.verify_registration(answer, binding=binding, account=account)
        try:
            kept = await self._database.passkeys.add(
                credential=made.credential,
                account=account,
                public_key=made.public_key,
                sign_count=made.sign_count,
                label=name,
                payload={
                    "backup_eligible": made.backup_eligible,
                    "backed_up": made.backed_up,
                    "transports": list(made.transports),
                    "aaguid": made.aaguid,
                },
                now=self._clock.now(),
            )
        except ConflictError:  # section 7.1, step 26: whoever's it is
            raise CredentialError("this passkey is registered already") from None
        await self._journal.note(
            "passkey-added", by=by, account=account, passkey=credential_text(made.credential), name=name
        )
        return kept

    async def rename_passkey(self, account: str, credential: bytes, *, name: str, by: str) -> None:
        """Call a passkey something else; AccountError where it cannot be called so."""
        name = checked_display_name(name) or "passkey"
        if not await self._database.passkeys.rename(credential, account=account, label=name):
            raise CredentialError("the account has no such passkey")
        await self._journal.note(
            "passkey-renamed", by=by, account=account, passkey=credential_text(credential), name=name
        )

    async def remove_passkey(self, account: str, credential: bytes, *, by: str) -> None:
        """Take a passkey away; CredentialError where nothing else is left to sign in with."""
        if credential not in {each.credential for each in await self._database.passkeys.of_account(account)}:
            raise CredentialError("the account has no such passkey")
        await self._must_keep_a_way(account)
        if not await self._database.passkeys.remove(credential, account=account):
            raise CredentialError("the account has no such passkey")
        await self._journal.note("passkey-removed", by=by, account=account, passkey=credential_text(credential))

    @property
    def passkeys_possible(self) -> bool:
        """Whether the issuer has a host name, which passkeys need."""
        return self._passkeys is not None

    @property
    def passkeys(self) -> Passkeys:
        """What verifies passkeys; PasskeysUnavailableError where the issuer's URL holds an address and no name."""
        if self._passkeys is None:
            raise PasskeysUnavailableError(
                "passkeys need a host name, and this issuer has an address",
                hint="put a name such as shop.localhost first among the edge's domains",
            )
        return self._passkeys

    # Authenticator apps

    async def begin_totp(self, account: str) -> NewApp:
        """Make a secret for an app; nothing is kept until `confirm_totp`. CredentialError where one is in use."""
        found = await self._accounts.get(account)
        await self._must_have_no_app(account)
        return self.shown_totp(found, self._pending.seal(account, totp.new_secret()))

    def shown_totp(self, account: Account, pending: str) -> NewApp:
        """Return again what `begin_totp` gave; SignInRefusedError where it is another account's, or over."""
        secret = self._pending.open(account.id, pending)
        return NewApp(
            uri=totp.otpauth_uri(secret, issuer=self._issuer_name, user_name=account.user_name),
            typed=totp.base32_of(secret),
            pending=pending,
        )

    async def confirm_totp(self, account: str, pending: str, code: str, *, by: str) -> None:
        """Begin to ask for the app's codes, now that it has shown a right one.

        Args:
            account: whose app.
            pending: as `begin_totp` gave it.
            code: as typed.
            by: as in `Journal.note`.

        Raises:
            SignInRefusedError: the code is wrong, or what is pending is another account's, or over.
            CredentialError: an app is in use already.
        """
        admission = await self._throttle.admit_second_factor(account=account)
        await self._must_have_no_app(account)
        secret = self._pending.open(account, pending)
        now = self._clock.now()
        step = totp.matching_step(secret, code, now=now, after=-1)
        if step is None:
            raise SignInRefusedError
        await admission.was_right()
        await self._database.totp.set(account, Secret(self._sealer.seal(account, secret)), counter=step, now=now)
        await self._journal.note("totp-added", by=by, account=account)

    async def use_totp(self, account: str, code: str) -> None:
        """Use a code of a person's app up; SignInRefusedError where it is wrong, was used, or there is no app."""
        app = await self._database.totp.get(account)
        if app is None:
            raise SignInRefusedError
        secret = self._sealer.open(account, app.secret.reveal())
        step = totp.matching_step(secret, code, now=self._clock.now(), after=app.counter)
        if step is None or not await self._database.totp.use(app, counter=step):
            raise SignInRefusedError

    async def remove_totp(self, account: str, *, by: str) -> None:
        """Ask for the app's codes no more, nor for recovery codes."""
        if not await self._database.totp.remove(account):
            raise CredentialError("the account has no authenticator app")
        await self._database.recovery.replace(account, (), now=self._clock.now())
        await self._journal.note("totp-removed", by=by, account=account)

    # Recovery codes

    async def new_recovery_codes(self, account: str, *, by: str) -> tuple[Secret, ...]:
        """Make recovery codes in place of all former ones, and return them: the only time that they can be seen."""
        await self._accounts.get(account)
        codes = recovery.new_codes()
        digests = [Secret(await recovery.digest(code, account=account, hasher=self._hasher)) for code in codes]
        await self._database.recovery.replace(account, digests, now=self._clock.now())
        await self._journal.note("recovery-codes-made", by=by, account=account)
        return codes

    async def use_recovery_code(self, account: str, typed: str) -> None:
        """Use a recovery code up; SignInRefusedError where it is none, or was used."""
        code = recovery.understood(typed)
        if code is None or not await self._database.recovery.take(
            account, Secret(await recovery.digest(code, account=account, hasher=self._hasher))
        ):
            raise SignInRefusedError

    # All of them

    async def remove_all(self, account: str, *, by: str) -> None:
        """Take every way to sign in away, so that a person who has lost them can begin anew by an invitation."""
        for passkey in await self._database.passkeys.of_account(account):
            await self._database.passkeys.remove(passkey.credential, account=account)
        await self._database.passwords.remove(account)
        await self._database.totp.remove(account)
        await self._database.recovery.replace(account, (), now=self._clock.now())
        await self._journal.note("credentials-removed", by=by, account=account)

    async def _must_have_no_app(self, account: str) -> None:
        if await self._database.totp.get(account) is not None:
            raise CredentialError("the account has an authenticator app", hint="remove it first")

    async def _must_keep_a_way(self, account: str) -> None:
        if (await self.overview(account)).alone <= 1:
            raise CredentialError(_ONLY_WAY, hint="add another one first")


def about_of(account: Account) -> tuple[str, ...]:
    """Return what a password of this account must not be made of."""
    return (account.user_name, account.display_name, account.email)
