"""Groups of people, their members, and the roles that they give."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from ringwall.identity.store.driver import LOT, Driver, Row, Session, Statement, in_lots
from ringwall.identity.store.errors import ConflictError, StoreError
from ringwall.identity.store.handles import new_id

MAX_GROUPS: Final = 64
"""Of one account: they go into every token."""
MAX_MEMBERS: Final = 20_000
"""Of one group."""

_COLUMNS: Final = "id, name_key, name, roles, manager, created, changed, version"
_CREATE: Final = Statement(
    """
    INSERT INTO groups (id, name_key, name, roles, manager, created, changed, version)
    VALUES (:id, :name_key, :name, :roles, :manager, :now, :now, 1) ON CONFLICT (name_key) DO NOTHING
    RETURNING {columns}
    """,
    columns=_COLUMNS,
)
_UPDATE: Final = Statement(
    """
    UPDATE groups SET name_key = :name_key, name = :name, roles = :roles, manager = :manager, changed = :now,
        version = version + 1
    WHERE id = :id AND version = :version RETURNING {columns}
    """,
    columns=_COLUMNS,
)
_TOUCH: Final = Statement(
    "UPDATE groups SET changed = :now, version = version + 1 WHERE id = :id RETURNING {columns}", columns=_COLUMNS
)
_GET: Final = Statement("SELECT {columns} FROM groups WHERE id = :id", columns=_COLUMNS)
_BY_NAME: Final = Statement("SELECT {columns} FROM groups WHERE name_key = :name_key", columns=_COLUMNS)
_PAGE: Final = Statement(
    "SELECT {columns} FROM groups WHERE name_key > :after ORDER BY name_key LIMIT :limit", columns=_COLUMNS
)
_ALL: Final = Statement("SELECT count(*) FROM groups")
_KEY_AT: Final = Statement("SELECT name_key FROM groups ORDER BY name_key LIMIT 1 OFFSET :place")
_DELETE: Final = Statement("DELETE FROM groups WHERE id = :id RETURNING id")
_EMPTY: Final = Statement("DELETE FROM memberships WHERE group_id = :id RETURNING account")
_FORGET: Final = Statement("DELETE FROM external_ids WHERE subject = :id")
_MEMBERS: Final = Statement("""
    SELECT a.id, a.user_name, a.display_name FROM memberships AS m JOIN accounts AS a ON a.id = m.account
    WHERE m.group_id = :id AND m.account > :after ORDER BY m.account LIMIT :limit
""")
_MEMBER_IDS: Final = Statement("SELECT account FROM memberships WHERE group_id = :id")
_COUNT: Final = Statement("SELECT count(*) FROM memberships WHERE group_id = :id")
_KNOWN: Final = Statement("SELECT id FROM accounts WHERE id IN ({lot})", lot=LOT)
_ADD: Final = Statement(
    """
    INSERT INTO memberships (group_id, account) SELECT :id, id FROM accounts WHERE id IN ({lot})
    ON CONFLICT (group_id, account) DO NOTHING RETURNING account
    """,
    lot=LOT,
)
_REMOVE: Final = Statement(
    "DELETE FROM memberships WHERE group_id = :id AND account IN ({lot}) RETURNING account", lot=LOT
)
_TOO_MANY: Final = Statement(
    """
    SELECT account FROM memberships WHERE account IN ({lot}) GROUP BY account HAVING count(*) > :most LIMIT 1
    """,
    lot=LOT,
)


class MembersRefusedError(StoreError):
    """Somebody cannot be put into a group; nothing was changed."""

    code = "group-members"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group.

    Attributes:
        id: never changes and is never given to another.
        name_key: the name as it is compared.
        name: for people and policies to read.
        roles: names of roles that every member has.
        manager: the client that provisions the group; empty for one that is administered here.
        created: seconds since the epoch.
        changed: seconds since the epoch.
        version: grows with each change, also of its members.
    """

    id: str
    name_key: str
    name: str
    roles: tuple[str, ...] = ()
    manager: str = ""
    created: float = 0.0
    changed: float = 0.0
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody in a group: id, user name and display name of the account."""

    id: str
    user_name: str
    display_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MembersChanged:
    """A group as it is after a change of its members, and the ids of the accounts that came and went."""

    group: Group
    added: tuple[str, ...]
    removed: tuple[str, ...]


class Groups:
    """All groups."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def create(
        self, *, name_key: str, name: str, now: float, roles: tuple[str, ...] = (), manager: str = ""
    ) -> Group:
        """Add a group with a fresh id; ConflictError where there is one of the same `name_key`."""
        group = Group(id=new_id(), name_key=name_key, name=name, roles=roles, manager=manager)
        row = await self._driver.row(_CREATE, **_values(group), now=now)
        if row is None:
            raise _taken(name)
        return _group(row)

    async def update(self, group: Group, *, now: float) -> Group:
        """Store a changed group (`dataclasses.replace` of one that was read), and return it as it is now.

        Raises:
            ConflictError: somebody else has changed or removed it since it was read, or another group has its
                `name_key`; nothing was changed.
        """
        try:
            row = await self._driver.row(_UPDATE, **_values(group), version=group.version, now=now)
        except ConflictError:
            raise _taken(group.name) from None
        if row is None:
            raise _overtaken()
        return _group(row)

    async def get(self, group: str) -> Group | None:
        """Return the group of an id, or None."""
        row = await self._driver.row(_GET, id=group)
        return None if row is None else _group(row)

    async def by_name(self, name_key: str) -> Group | None:
        """Return the group of a name, or None."""
        row = await self._driver.row(_BY_NAME, name_key=name_key)
        return None if row is None else _group(row)

    async def page(self, *, after: str = "", limit: int = 100) -> tuple[Group, ...]:
        """Return groups in the order of `name_key`, beginning after that of the last one of the page before."""
        return tuple(map(_group, await self._driver.rows(_PAGE, after=after, limit=limit)))

    async def count(self) -> int:
        """Return how many groups there are; reads all of them."""
        return int((await self._driver.rows(_ALL))[0][0])

    async def key_at(self, place: int) -> str | None:
        """Return the `name_key` of the group at a place, counted from 0; reads the keys of all before it."""
        row = await self._driver.row(_KEY_AT, place=place)
        return None if row is None else str(row[0])

    async def members(self, group: str, *, after: str = "", limit: int = MAX_MEMBERS) -> tuple[Member, ...]:
        """Return members in the order of their ids, beginning after the id of the last one of the page before."""
        rows = await self._driver.rows(_MEMBERS, id=group, after=after, limit=limit)
        return tuple(Member(id=row[0], user_name=row[1], display_name=row[2]) for row in rows)

    async def size(self, group: str) -> int:
        """Return how many members a group has."""
        return int((await self._driver.rows(_COUNT, id=group))[0][0])

    async def change_members(
        self,
        group: str,
        *,
        now: float,
        add: Collection[str] = (),
        remove: Collection[str] = (),
        version: int | None = None,
    ) -> MembersChanged | None:
        """Put accounts into a group and take others out, all at once; None where there is no such group.

        Raises:
            ConflictError: the group has another version.
            MembersRefusedError: there is no such account, or a limit is reached.
        """
        async with self._driver.transaction() as within:
            touched = await self._touch(within, group, version, now)
            return None if touched is None else await self._change(within, touched, add, remove)

    async def set_members(
        self, group: str, members: Iterable[str], *, now: float, version: int | None = None
    ) -> MembersChanged | None:
        """Let a group have these members and no others, as `change_members` does."""
        wanted = set(members)
        async with self._driver.transaction() as within:
            touched = await self._touch(within, group, version, now)
            if touched is None:
                return None
            there = {row[0] for row in await within.rows(_MEMBER_IDS, id=group)}
            return await self._change(within, touched, wanted - there, there - wanted)

    async def delete(self, group: str, *, now: float, version: int | None = None) -> tuple[str, ...] | None:
        """Remove a group, and return the ids of those who were in it; None where there was none."""
        async with self._driver.transaction() as within:
            if await self._touch(within, group, version, now) is None:
                return None
            members = tuple(row[0] for row in await within.rows(_EMPTY, id=group))
            await within.run(_FORGET, id=group)
            await within.rows(_DELETE, id=group)
            return members

    async def _touch(self, within: Session, group: str, version: int | None, now: float) -> Group | None:
        """Hold the group's row, so that changes of one group come one after the other."""
        row = await within.row(_TOUCH, id=group, now=now)
        if row is None:
            return None
        touched = _group(row)
        if version is not None and touched.version != version + 1:
            raise _overtaken()
        return touched

    async def _change(
        self, within: Session, group: Group, add: Collection[str], remove: Collection[str]
    ) -> MembersChanged:
        removed: list[str] = []
        for lot in in_lots(remove):
            removed += [row[0] for row in await within.rows(_REMOVE, id=group.id, **lot)]
        added: list[str] = []
        for lot in in_lots(add):
            known = {row[0] for row in await within.rows(_KNOWN, **lot)}
            if unknown := set(lot.values()) - known:
                raise MembersRefusedError(f"there is no account {min(unknown)[:80]!r}")
            added += [row[0] for row in await within.rows(_ADD, id=group.id, **lot)]
            if await within.row(_TOO_MANY, most=MAX_GROUPS, **lot) is not None:
                raise MembersRefusedError(f"an account is in at most {MAX_GROUPS} groups")
        if added and (await within.rows(_COUNT, id=group.id))[0][0] > MAX_MEMBERS:
            raise MembersRefusedError(
                f"a group has at most {MAX_MEMBERS} members", hint="`users: any` in the blueprint means everybody"
            )
        return MembersChanged(group=group, added=tuple(added), removed=tuple(removed))


def _taken(name: str) -> ConflictError:
    return ConflictError(f"there is already a group {name[:80]!r}", hint="choose another name")


def _overtaken() -> ConflictError:
    return ConflictError("the group was changed or removed meanwhile", hint="read it again")


def _values(group: Group) -> dict[str, Any]:
    return {
        "id": group.id,
        "name_key": group.name_key,
        "name": group.name,
        "roles": orjson.dumps(group.roles).decode(),
        "manager": group.manager,
    }


def _group(row: Row) -> Group:
    return Group(
        id=row[0],
        name_key=row[1],
        name=row[2],
        roles=tuple(orjson.loads(row[3])),
        manager=row[4],
        created=row[5],
        changed=row[6],
        version=row[7],
    )
