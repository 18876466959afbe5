"""What people have allowed clients to do in their name."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ringwall.identity.store.driver import Driver, Statement

_GRANT: Final = Statement("""
    INSERT INTO consents (account, client, scope, granted) VALUES (:account, :client, :scope, :now)
    ON CONFLICT (account, client, scope) DO NOTHING
""")
_SCOPES: Final = Statement("SELECT scope FROM consents WHERE account = :account AND client = :client")
_OF_ACCOUNT: Final = Statement("""
    SELECT client, scope, granted FROM consents WHERE account = :account ORDER BY client, scope
""")
_WITHDRAW: Final = Statement("DELETE FROM consents WHERE account = :account AND client = :client RETURNING scope")


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What one client may do in a person's name.

    Attributes:
        client: the client.
        scopes: what was allowed, in alphabetical order; may be empty for a bare sign-in.
        granted: when the latest of it was allowed, in seconds since the epoch.
    """

    client: str
    scopes: tuple[str, ...]
    granted: float


class Consents:
    """The consents of all people."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def grant(self, *, account: str, client: str, scopes: Iterable[str], now: float) -> None:
        """Add scopes to what a client may do; all of them or, on an error, none. What was allowed before stays."""
        async with self._driver.transaction() as within:
            for scope in sorted({"", *scopes}):  # the empty one says that there is a consent at all
                await within.run(_GRANT, account=account, client=client, scope=scope, now=now)

    async def scopes(self, *, account: str, client: str) -> frozenset[str] | None:
        """Return what a client may do, or None where there is no consent at all."""
        found = {row[0] for row in await self._driver.rows(_SCOPES, account=account, client=client)}
        return frozenset(found - {""}) if found else None

    async def of_account(self, account: str) -> tuple[Consent, ...]:
        """Return a person's consents, by client."""
        scopes: dict[str, list[str]] = {}
        granted: dict[str, float] = {}
        for client, scope, when in await self._driver.rows(_OF_ACCOUNT, account=account):
            scopes.setdefault(client, []).extend([scope] if scope else [])
            granted[client] = max(granted.get(client, when), when)
        return tuple(
            Consent(client=client, scopes=tuple(allowed), granted=granted[client]) for client, allowed in scopes.items()
        )

    async def withdraw(self, *, account: str, client: str) -> bool:
        """Forget a consent; return whether there was one. The client's families are ended by the caller."""
        return bool(await self._driver.rows(_WITHDRAW, account=account, client=client))
