"""Recovery codes: what lets people in who have lost everything else, each once."""

import hashlib
from collections.abc import Iterable
from typing import Final

from ringwall.identity.store.driver import Driver, Statement
from ringwall.model.secret import Secret

_CLEAR: Final = Statement("DELETE FROM recovery WHERE account = :account")
_ADD: Final = Statement("INSERT INTO recovery (account, digest, created) VALUES (:account, :digest, :now)")
_TAKE: Final = Statement("DELETE FROM recovery WHERE account = :account AND digest = :digest RETURNING created")
_LEFT: Final = Statement("SELECT count(*) FROM recovery WHERE account = :account")


class RecoveryCodes:
    """The codes of all accounts, as hashes that take the account in."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def replace(self, account: str, codes: Iterable[Secret], *, now: float) -> None:
        """Store a person's new codes in place of all former ones, all at once.

        Args:
            account: id of the person.
            codes: each with at least 64 random bits, as the hash is a fast one; in the form in which `take` gets them.
            now: seconds since the epoch.
        """
        async with self._driver.transaction() as within:
            await within.run(_CLEAR, account=account)
            for code in codes:
                await within.run(_ADD, account=account, digest=_digest(account, code), now=now)

    async def take(self, account: str, code: Secret) -> bool:
        """Use a code up. Of any number of callers, in any number of processes, exactly one gets True."""
        return await self._driver.row(_TAKE, account=account, digest=_digest(account, code)) is not None

    async def left(self, account: str) -> int:
        """Return how many codes a person has left."""
        return int((await self._driver.rows(_LEFT, account=account))[0][0])


def _digest(account: str, code: Secret) -> bytes:
    return hashlib.sha256(account.encode() + b"\0" + code.reveal()).digest()
