"""What provisioning clients call accounts and groups: `externalId` (RFC 7643, section 3.1), each client's own."""

from collections.abc import Iterable
from typing import Final

from ringwall.identity.store.driver import LOT, Driver, Statement, in_lots

_SET: Final = Statement("""
    INSERT INTO external_ids (client, subject, external_id) VALUES (:client, :subject, :external_id)
    ON CONFLICT (client, subject) DO UPDATE SET external_id = excluded.external_id
""")
_REMOVE: Final = Statement("DELETE FROM external_ids WHERE client = :client AND subject = :subject")
_OF: Final = Statement(
    "SELECT subject, external_id FROM external_ids WHERE client = :client AND subject IN ({lot})", lot=LOT
)
_FIND: Final = Statement("""
    SELECT subject FROM external_ids WHERE client = :client AND external_id = :external_id LIMIT :limit
""")
"""Without an order: SQLite would read all that the client has in the order of `subject`, rather than sort a few."""


class ExternalIds:
    """All of them. No client sees another's; nothing asks that they are unique."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def set(self, client: str, subject: str, external_id: str) -> None:
        """Keep what a client calls an account or group; an empty text removes it."""
        if external_id:
            await self._driver.run(_SET, client=client, subject=subject, external_id=external_id)
        else:
            await self._driver.run(_REMOVE, client=client, subject=subject)

    async def of(self, client: str, subjects: Iterable[str]) -> dict[str, str]:
        """Return what a client calls accounts or groups, by their ids."""
        found: dict[str, str] = {}
        for lot in in_lots(subjects):
            found.update((row[0], row[1]) for row in await self._driver.rows(_OF, client=client, **lot))
        return found

    async def find(self, client: str, external_id: str, *, limit: int) -> tuple[str, ...]:
        """Return the ids of what a client calls so, of so many at most."""
        rows = await self._driver.rows(_FIND, client=client, external_id=external_id, limit=limit)
        return tuple(sorted(row[0] for row in rows))
