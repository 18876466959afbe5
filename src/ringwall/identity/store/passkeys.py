"""Passkeys: the public halves of people's WebAuthn credentials."""

from dataclasses import dataclass
from typing import Any, Final

from ringwall.identity.store.driver import Driver, Row, Statement, packed, unpacked
from ringwall.identity.store.errors import ConflictError

_COLUMNS: Final = "credential, account, public_key, sign_count, label, payload, created, used"
_ADD: Final = Statement(
    """
    INSERT INTO passkeys (credential, account, public_key, sign_count, label, payload, created, used)
    VALUES (:credential, :account, :public_key, :count, :label, :payload, :now, NULL)
    ON CONFLICT (credential) DO NOTHING RETURNING {columns}
    """,
    columns=_COLUMNS,
)
_GET: Final = Statement("SELECT {columns} FROM passkeys WHERE credential = :credential", columns=_COLUMNS)
_OF_ACCOUNT: Final = Statement(
    "SELECT {columns} FROM passkeys WHERE account = :account ORDER BY created, credential", columns=_COLUMNS
)
_USE: Final = Statement("""
    UPDATE passkeys SET sign_count = :count, used = :now
    WHERE credential = :credential AND (sign_count < :count OR (sign_count = 0 AND :count = 0)) RETURNING account
""")
_RENAME: Final = Statement("""
    UPDATE passkeys SET label = :label WHERE credential = :credential AND account = :account RETURNING account
""")
_REMOVE: Final = Statement(
    "DELETE FROM passkeys WHERE credential = :credential AND account = :account RETURNING account"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """One credential of a person.

    Attributes:
        credential: its id.
        account: id of the person.
        public_key: in COSE form.
        sign_count: the authenticator's counter when it was last used; 0 where it does not count.
        label: what the person calls it.
        payload: what else is known: transports, AAGUID, whether it is backed up.
        created: seconds since the epoch.
        used: when it was last used, or None.
    """

    credential: bytes
    account: str
    public_key: bytes
    sign_count: int
    label: str
    payload: dict[str, Any]
    created: float
    used: float | None


class Passkeys:
    """The passkeys of all accounts."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def add(
        self,
        *,
        credential: bytes,
        account: str,
        public_key: bytes,
        sign_count: int,
        label: str,
        payload: dict[str, Any],
        now: float,
    ) -> Passkey:
        """Add a passkey; ConflictError where the credential is registered, to whomever (WebAuthn, section 7.1)."""
        row = await self._driver.row(
            _ADD,
            credential=credential,
            account=account,
            public_key=public_key,
            count=sign_count,
            label=label,
            payload=packed(payload),
            now=now,
        )
        if row is None:
            raise ConflictError("this passkey is already registered")
        return _passkey(row)

    async def get(self, credential: bytes) -> Passkey | None:
        """Return a passkey by its credential id, or None."""
        row = await self._driver.row(_GET, credential=credential)
        return None if row is None else _passkey(row)

    async def of_account(self, account: str) -> tuple[Passkey, ...]:
        """Return a person's passkeys, the oldest first."""
        return tuple(map(_passkey, await self._driver.rows(_OF_ACCOUNT, account=account)))

    async def use(self, credential: bytes, *, sign_count: int, now: float) -> bool:
        """Note a use whose signature was right; False where the counter did not grow (WebAuthn, section 7.2).

        Then somebody may have a copy of the authenticator, and nothing was changed. Of two uses with the same count
        one gets False, in whatever process; authenticators that do not count always give 0, and that is accepted.
        """
        return await self._driver.row(_USE, credential=credential, count=sign_count, now=now) is not None

    async def rename(self, credential: bytes, *, account: str, label: str) -> bool:
        """Give a person's passkey another label; False where they have no such passkey."""
        return await self._driver.row(_RENAME, credential=credential, account=account, label=label) is not None

    async def remove(self, credential: bytes, *, account: str) -> bool:
        """Forget a person's passkey; False where they have no such passkey."""
        return await self._driver.row(_REMOVE, credential=credential, account=account) is not None


def _passkey(row: Row) -> Passkey:
    return Passkey(
        credential=row[0],
        account=row[1],
        public_key=row[2],
        sign_count=row[3],
        label=row[4],
        payload=unpacked(row[5]),
        created=row[6],
        used=row[7],
    )
