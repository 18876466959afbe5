"""Links between people at providers of others and accounts here."""

from dataclasses import dataclass
from typing import Any, Final

from ringwall.identity.store.driver import Driver, Row, Statement, packed, unpacked

_COLUMNS: Final = "issuer, subject, account, upstream, payload, created, used"
_ADD: Final = Statement(
    """
    INSERT INTO links (issuer, subject, account, upstream, payload, created, used)
    VALUES (:issuer, :subject, :account, :upstream, :payload, :now, NULL)
    ON CONFLICT (issuer, subject) DO NOTHING RETURNING {columns}
""",
    columns=_COLUMNS,
)
_GET: Final = Statement("SELECT {columns} FROM links WHERE issuer = :issuer AND subject = :subject", columns=_COLUMNS)
_OF_ACCOUNT: Final = Statement(
    "SELECT {columns} FROM links WHERE account = :account ORDER BY created, issuer, subject LIMIT 100",
    columns=_COLUMNS,
)
_PUT: Final = Statement("""
    UPDATE links SET payload = :payload, upstream = :upstream, used = :now
    WHERE issuer = :issuer AND subject = :subject AND account = :account
""")
_REMOVE: Final = Statement(
    "DELETE FROM links WHERE issuer = :issuer AND subject = :subject AND account = :account RETURNING issuer"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Somebody at a provider, and the account that is theirs.

    Attributes:
        issuer: who the provider is: its `iss`, or its entity ID.
        subject: who they are there; never given to another person.
        account: id of the account.
        upstream: what the plan called the provider at the last sign-in.
        payload: what the provider has given the account.
        created: seconds since the epoch.
        used: when somebody last signed in by it, or None.
    """

    issuer: str
    subject: str
    account: str
    upstream: str
    payload: dict[str, Any]
    created: float
    used: float | None


class Links:
    """All links. One person of one provider has one account; an account can have several links."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def add(
        self, *, issuer: str, subject: str, account: str, upstream: str, payload: dict[str, Any], now: float
    ) -> Link | None:
        """Link somebody to an account; None where they are linked already. Of any number of callers one gets it."""
        row = await self._driver.row(
            _ADD,
            issuer=issuer,
            subject=subject,
            account=account,
            upstream=upstream,
            payload=packed(payload),
            now=now,
        )
        return None if row is None else _link(row)

    async def get(self, issuer: str, subject: str) -> Link | None:
        """Return the link of somebody at a provider, or None."""
        row = await self._driver.row(_GET, issuer=issuer, subject=subject)
        return None if row is None else _link(row)

    async def of_account(self, account: str) -> tuple[Link, ...]:
        """Return up to a hundred links of an account, the oldest first."""
        return tuple(map(_link, await self._driver.rows(_OF_ACCOUNT, account=account)))

    async def use(self, link: Link, *, upstream: str, payload: dict[str, Any], now: float) -> bool:
        """Note a sign-in and what the provider gives from now on; False where the link is gone."""
        changed = await self._driver.run(
            _PUT,
            issuer=link.issuer,
            subject=link.subject,
            account=link.account,
            upstream=upstream,
            payload=packed(payload),
            now=now,
        )
        return changed > 0

    async def remove(self, link: Link) -> bool:
        """Part somebody from an account; False where they are parted already."""
        row = await self._driver.row(_REMOVE, issuer=link.issuer, subject=link.subject, account=link.account)
        return row is not None


def _link(row: Row) -> Link:
    return Link(
        issuer=row[0],
        subject=row[1],
        account=row[2],
        upstream=row[3],
        payload=unpacked(row[4]),
        created=row[5],
        used=row[6],
    )
