"""People: who they are. How they prove it is kept apart."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ringwall.identity.store.driver import Driver, Row, Statement, packed, unpacked
from ringwall.identity.store.errors import ConflictError
from ringwall.identity.store.handles import new_id
from ringwall.identity.store.holders import MEMBERSHIPS, Holder, memberships_of

_COLUMNS: Final = (
    "id, name_key, user_name, display_name, email, email_key, details, created, changed, disabled, version, "
    + MEMBERSHIPS.replace("{account}", "accounts.id")
)
_CREATE: Final = Statement(
    """
    INSERT INTO accounts (id, name_key, user_name, display_name, email, email_key, details, created, changed, disabled,
                          version)
    VALUES (:id, :name_key, :user_name, :display_name, :email, :email_key, :details, :now, :now, :disabled, 1)
    ON CONFLICT (name_key) DO NOTHING RETURNING {columns}
""",
    columns=_COLUMNS,
)
_UPDATE: Final = Statement(
    """
    UPDATE accounts SET name_key = :name_key, user_name = :user_name, display_name = :display_name, email = :email,
        email_key = :email_key, details = :details, changed = :now, disabled = :disabled, version = version + 1
    WHERE id = :id AND version = :version RETURNING {columns}
""",
    columns=_COLUMNS,
)
_GET: Final = Statement("SELECT {columns} FROM accounts WHERE id = :id", columns=_COLUMNS)
_BY_NAME: Final = Statement("SELECT {columns} FROM accounts WHERE name_key = :name_key", columns=_COLUMNS)
_BY_EMAIL: Final = Statement(
    "SELECT {columns} FROM accounts WHERE email_key = :email_key ORDER BY name_key LIMIT :limit", columns=_COLUMNS
)
_PAGE: Final = Statement(
    "SELECT {columns} FROM accounts WHERE name_key > :after ORDER BY name_key LIMIT :limit", columns=_COLUMNS
)
_COUNT: Final = Statement("SELECT count(*) FROM accounts")
_KEY_AT: Final = Statement("SELECT name_key FROM accounts ORDER BY name_key LIMIT 1 OFFSET :place")
_DELETE: Final = Statement("DELETE FROM accounts WHERE id = :account RETURNING id")
_BELONGINGS: Final = tuple(
    Statement("DELETE FROM {table} WHERE account = :account", table=table)  # the names are ours
    for table in ("passwords", "passkeys", "totp", "recovery", "consents", "memberships", "links")
)
_LEAVE: Final = Statement("""
    UPDATE groups SET version = version + 1
    WHERE id IN (SELECT group_id FROM memberships WHERE account = :account)
""")
_FORGET: Final = Statement("DELETE FROM external_ids WHERE subject = :account")
_END: Final = tuple(
    Statement(
        "UPDATE {table} SET ended = :now, reason = 'account-deleted' WHERE account = :account AND ended IS NULL",
        table=table,
    )
    for table in ("sessions", "families")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account(Holder):
    """A person, with all that is known of them.

    Attributes:
        name_key: the user name as it is compared: the caller makes it, so that names that look alike are one.
        email_key: the e-mail address as it is compared, or an empty string; several accounts may have the same.
        profile: what else is known of the person: attributes of RFC 7643, section 4.1, that no policy can read.
        manager: the client that provisions the account; empty for one that is administered here.
        created: seconds since the epoch.
        changed: seconds since the epoch.
        version: grows with each change.
    """

    name_key: str
    email_key: str = ""
    profile: Mapping[str, Any] = field(default_factory=dict)
    manager: str = ""
    created: float = 0.0
    changed: float = 0.0
    version: int = 0


class Accounts:
    """All accounts."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def create(
        self,
        *,
        name_key: str,
        user_name: str,
        now: float,
        display_name: str = "",
        email: str = "",
        email_key: str = "",
        roles: tuple[str, ...] = (),
        attributes: Mapping[str, Any] | None = None,
        profile: Mapping[str, Any] | None = None,
        manager: str = "",
        disabled: float | None = None,
    ) -> Account:
        """Add an account with a fresh id; ConflictError where there is one of the same `name_key`."""
        account = Account(
            id=new_id(),
            name_key=name_key,
            user_name=user_name,
            display_name=display_name,
            email=email,
            email_key=email_key,
            roles=roles,
            attributes=attributes or {},
            profile=profile or {},
            manager=manager,
            disabled=disabled,
        )
        row = await self._driver.row(_CREATE, **_values(account), now=now)
        if row is None:
            raise _taken(account)
        return _account(row)

    async def update(self, account: Account, *, now: float) -> Account:
        """Store a changed account (`dataclasses.replace` of one that was read), and return it as it is now.

        Raises:
            ConflictError: somebody else has changed or removed it since it was read, or another account has its
                `name_key`; nothing was changed.
        """
        try:
            row = await self._driver.row(_UPDATE, **_values(account), version=account.version, now=now)
        except ConflictError:
            raise _taken(account) from None
        if row is None:
            raise ConflictError("the account was changed or removed meanwhile", hint="read it again")
        return _account(row)

    async def disable(self, account: str, *, now: float) -> Account | None:
        """Disable an account, whoever else changes it; None where there is none. The caller ends its sessions."""
        return await self._set_disabled(account, now, now=now)

    async def enable(self, account: str, *, now: float) -> Account | None:
        """Undo `disable`."""
        return await self._set_disabled(account, None, now=now)

    async def _set_disabled(self, account: str, disabled: float | None, *, now: float) -> Account | None:
        while (found := await self.get(account)) is not None:
            try:
                return await self.update(replace(found, disabled=disabled), now=now)
            except ConflictError:
                continue
        return None

    async def get(self, account: str) -> Account | None:
        """Return the account of an id, or None."""
        row = await self._driver.row(_GET, id=account)
        return None if row is None else _account(row)

    async def by_name(self, name_key: str) -> Account | None:
        """Return the account of a user name, or None."""
        row = await self._driver.row(_BY_NAME, name_key=name_key)
        return None if row is None else _account(row)

    async def by_email(self, email_key: str, *, limit: int = 10) -> tuple[Account, ...]:
        """Return accounts of an e-mail address; none for an empty one."""
        if not email_key:
            return ()
        return tuple(map(_account, await self._driver.rows(_BY_EMAIL, email_key=email_key, limit=limit)))

    async def page(self, *, after: str = "", limit: int = 100) -> tuple[Account, ...]:
        """Return accounts in the order of `name_key`, beginning after that of the last one of the page before."""
        return tuple(map(_account, await self._driver.rows(_PAGE, after=after, limit=limit)))

    async def count(self) -> int:
        """Return how many accounts there are; reads all of them."""
        return int((await self._driver.rows(_COUNT))[0][0])

    async def key_at(self, place: int) -> str | None:
        """Return the `name_key` of the account at a place, counted from 0; reads the keys of all before it."""
        row = await self._driver.row(_KEY_AT, place=place)
        return None if row is None else str(row[0])

    async def delete(self, account: str, *, now: float) -> bool:
        """Remove an account with its credentials and consents, and end its sessions and families, all at once.

        Return whether there was one.
        """
        async with self._driver.transaction() as within:
            await within.run(_LEAVE, account=account)
            await within.run(_FORGET, account=account)
            for statement in _BELONGINGS:
                await within.run(statement, account=account)
            for statement in _END:
                await within.run(statement, account=account, now=now)
            return bool(await within.rows(_DELETE, account=account))


def _taken(account: Account) -> ConflictError:
    return ConflictError(f"there is already an account {account.user_name[:80]!r}", hint="choose another user name")


def _values(account: Account) -> dict[str, Any]:
    details: dict[str, Any] = {"roles": account.roles, "attributes": dict(account.attributes)}
    if account.profile:
        details["profile"] = dict(account.profile)
    if account.manager:
        details["manager"] = account.manager
    return {
        "id": account.id,
        "name_key": account.name_key,
        "user_name": account.user_name,
        "display_name": account.display_name,
        "email": account.email,
        "email_key": account.email_key,
        "details": packed(details),
        "disabled": account.disabled,
    }


def _account(row: Row) -> Account:
    details = unpacked(row[6])
    return Account(
        id=row[0],
        name_key=row[1],
        user_name=row[2],
        display_name=row[3],
        email=row[4],
        email_key=row[5],
        roles=tuple(details["roles"]),
        attributes=details["attributes"],
        profile=details.get("profile", {}),
        manager=details.get("manager", ""),
        memberships=memberships_of(row[11]),
        created=row[7],
        changed=row[8],
        disabled=row[9],
        version=row[10],
    )
