"""Password hashes, one for each account that has a password."""

from dataclasses import dataclass
from typing import Final

from ringwall.identity.store.driver import Driver, Statement
from ringwall.model.secret import Secret

_SET: Final = Statement("""
    INSERT INTO passwords (account, encoded, changed, expires) VALUES (:account, :encoded, :now, :expires)
    ON CONFLICT (account) DO UPDATE
    SET encoded = excluded.encoded, changed = excluded.changed, expires = excluded.expires
""")
_REHASH: Final = Statement("""
    UPDATE passwords SET encoded = :encoded WHERE account = :account AND encoded = :former RETURNING account
""")
_GET: Final = Statement("SELECT account, encoded, changed, expires FROM passwords WHERE account = :account")
_REMOVE: Final = Statement("DELETE FROM passwords WHERE account = :account RETURNING account")


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordHash:
    """A person's password, as a slow hash in the form that its algorithm prints.

    Attributes:
        account: id of the person.
        encoded: such as `$argon2id$v=19$…`.
        changed: when the person chose it, in seconds since the epoch.
        expires: until when it can be used (one that an administrator set), or None.
    """

    account: str
    encoded: Secret
    changed: float
    expires: float | None


class Passwords:
    """The password hashes of all accounts."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def set(self, account: str, encoded: Secret, *, now: float, expires: float | None = None) -> None:
        """Store a new password's hash in place of the former one, if there was any."""
        await self._driver.run(_SET, account=account, encoded=encoded.reveal().decode(), now=now, expires=expires)

    async def rehash(self, account: str, *, former: Secret, encoded: Secret) -> bool:
        """Replace the hash of an unchanged password; False, and nothing done, where it was changed meanwhile."""
        row = await self._driver.row(
            _REHASH, account=account, former=former.reveal().decode(), encoded=encoded.reveal().decode()
        )
        return row is not None

    async def get(self, account: str) -> PasswordHash | None:
        """Return a person's password hash, or None where they have no password."""
        row = await self._driver.row(_GET, account=account)
        if row is None:
            return None
        return PasswordHash(account=row[0], encoded=Secret(row[1]), changed=row[2], expires=row[3])

    async def remove(self, account: str) -> bool:
        """Forget a person's password; return whether there was one."""
        return await self._driver.row(_REMOVE, account=account) is not None
