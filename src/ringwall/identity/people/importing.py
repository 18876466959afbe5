"""Takes people over from another system, with the hashes of the passwords they have there."""

import base64
import binascii

from ringwall.identity.people import imported_hashes, totp
from ringwall.identity.people.accounts import Accounts
from ringwall.identity.people.errors import AccountTakenError, CredentialError
from ringwall.identity.people.groups import Groups
from ringwall.identity.people.journal import Journal
from ringwall.identity.people.profile import Profile
from ringwall.identity.sealing import Sealer
from ringwall.identity.store.database import Database
from ringwall.model.clock import Clock
from ringwall.model.secret import Secret

_SHORTEST_SECRET = 10
_LONGEST_SECRET = 128


class Importer:
    """Makes accounts with credentials that were made elsewhere."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        *,
        accounts: Accounts,
        groups: Groups,
        sealer: Sealer,
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._accounts = accounts
        self._groups = groups
        self._sealer = sealer

    async def add(
        self,
        profile: Profile,
        *,
        by: str,
        password: str | None = None,
        app: str | None = None,
        disabled: bool = False,
        dry_run: bool = False,
    ) -> None:
        """Make an account; whatever is wrong is found before anything is kept.

        Args:
            profile: checked.
            by: as in `Journal.note`.
            password: PHC string, which is replaced by one of ours at the first sign-in.
            app: base32 secret of an authenticator app (SHA-1, 6 digits, 30 seconds), in use from now on.
            disabled: whether nobody may sign in.
            dry_run: only say what is wrong.

        Raises:
            ImportedHashError: the hash cannot be verified, or costs too much.
            CredentialError: the app's secret is none.
            AccountTakenError: the user name is taken.
        """
        encoded = None if password is None else imported_hashes.checked(password)
        secret = None if app is None else _secret_of(app)
        if await self._database.accounts.by_name(profile.name_key) is not None:
            raise AccountTakenError(f"there is already an account {profile.user_name[:80]!r}")
        if dry_run:
            return
        now = self._clock.now()
        await self._groups.ensure(profile.groups, by=by)
        account = await self._accounts.create(profile, by=by, disabled=disabled)
        if encoded is not None:
            await self._database.passwords.set(account.id, Secret(encoded), now=now)
        if secret is not None:
            sealed = Secret(self._sealer.seal(account.id, secret))
            await self._database.totp.set(account.id, sealed, counter=totp.step_at(now), now=now)
        await self._journal.note(
            "account-imported", by=by, account=account.id, password=encoded is not None, totp=secret is not None
        )


def _secret_of(text: str) -> Secret:
    compact = text.replace(" ", "").upper()
    try:
        secret = base64.b32decode(compact + "=" * (-len(compact) % 8))
    except (binascii.Error, ValueError) as error:
        raise CredentialError("the secret of an authenticator app is not base32") from error
    if not _SHORTEST_SECRET <= len(secret) <= _LONGEST_SECRET:
        raise CredentialError("the secret of an authenticator app has a length that cannot be right")
    return Secret(secret)
