"""Secrets of time-based one-time passwords (RFC 6238), and which of them were used."""

from dataclasses import dataclass
from typing import Final

from ringwall.identity.store.driver import Driver, Statement
from ringwall.model.secret import Secret

_SET: Final = Statement("""
    INSERT INTO totp (account, secret, counter, created) VALUES (:account, :secret, :counter, :now)
    ON CONFLICT (account) DO UPDATE
    SET secret = excluded.secret, counter = excluded.counter, created = excluded.created
""")
_GET: Final = Statement("SELECT account, secret, counter, created FROM totp WHERE account = :account")
_USE: Final = Statement("""
    UPDATE totp SET counter = :counter WHERE account = :account AND secret = :secret AND counter < :counter
    RETURNING account
""")
_REMOVE: Final = Statement("DELETE FROM totp WHERE account = :account RETURNING account")


@dataclass(frozen=True, slots=True, kw_only=True)
class Totp:
    """A person's one-time password generator.

    Attributes:
        account: id of the person.
        secret: as the caller has sealed it: a database alone must not be enough to make passwords.
        counter: the time step of the latest password that was accepted; only later ones will be.
        created: when it was set up, in seconds since the epoch.
    """

    account: str
    secret: Secret
    counter: int
    created: float


class Totps:
    """The generators of all accounts, one for each at most. One that is not yet confirmed is kept elsewhere."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def set(self, account: str, secret: Secret, *, counter: int, now: float) -> None:
        """Store a generator in place of the former one. The password that confirmed it is used up: `counter`."""
        await self._driver.run(_SET, account=account, secret=secret.reveal(), counter=counter, now=now)

    async def get(self, account: str) -> Totp | None:
        """Return a person's generator, or None."""
        row = await self._driver.row(_GET, account=account)
        return None if row is None else Totp(account=row[0], secret=Secret(row[1]), counter=row[2], created=row[3])

    async def use(self, totp: Totp, *, counter: int) -> bool:
        """Use the password of a time step up, once it was found right (RFC 6238, section 5.2).

        Of any number of callers with the same step, in any number of processes, exactly one gets True. False also
        where a later one was accepted before, or the generator was replaced since it was read.
        """
        row = await self._driver.row(_USE, account=totp.account, secret=totp.secret.reveal(), counter=counter)
        return row is not None

    async def remove(self, account: str) -> bool:
        """Forget a person's generator; return whether there was one."""
        return await self._driver.row(_REMOVE, account=account) is not None
