"""People over a real SQLite database, with a clock that tests move."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from ringwall.identity.keystore import MemoryKeyStore
from ringwall.identity.people.kept import Event, KeptInvitation, KeptPasskey, KeptTotp
from ringwall.identity.people.passwords import FLOOR
from ringwall.identity.people.people import People
from ringwall.identity.people.profile import Profile
from ringwall.identity.people.sign_in import Visitor
from ringwall.identity.store.accounts import Account
from ringwall.identity.store.database import Database, sqlite_url
from ringwall.identity.store.errors import ConflictError
from ringwall.identity.store.handles import new_handle, new_id
from ringwall.model.clock import ManualClock
from ringwall.model.secret import Secret

ISSUER = "https://shop.localhost:8443/auth"
PASSWORD = Secret("correct horse battery staple")
VISITOR = Visitor(source="192.0.2.1", binding="browser-1")
R = TypeVar("R")


class _Passkeys:
    def __init__(self) -> None:
        self.rows: dict[bytes, KeptPasskey] = {}

    async def add(self, passkey: KeptPasskey) -> None:
        if passkey.credential in self.rows:
            raise ConflictError("known")
        self.rows[passkey.credential] = passkey

    async def get(self, credential: bytes) -> KeptPasskey | None:
        return self.rows.get(credential)

    async def of_account(self, account: str) -> Sequence[KeptPasskey]:
        return [row for row in self.rows.values() if row.account == account]

    async def used(self, credential: bytes, *, former: int, sign_count: int, backed_up: bool, now: float) -> bool:
        row = self.rows.get(credential)
        if row is None or row.sign_count != former:
            return False
        self.rows[credential] = replace(row, sign_count=sign_count, backed_up=backed_up, used=now)
        return True

    async def rename(self, account: str, credential: bytes, *, name: str) -> bool:
        row = self.rows.get(credential)
        if row is None or row.account != account:
            return False
        self.rows[credential] = replace(row, name=name)
        return True

    async def remove(self, account: str, credential: bytes) -> bool:
        row = self.rows.get(credential)
        return row is not None and row.account == account and self.rows.pop(credential) is row


class _Totps:
    def __init__(self) -> None:
        self.rows: dict[str, KeptTotp] = {}

    async def begin(self, account: str, *, secret: bytes, now: float) -> bool:
        row = self.rows.get(account)
        if row is not None and row.confirmed is not None:
            return False
        self.rows[account] = KeptTotp(account=account, secret=secret, confirmed=None, step=-1, created=now)
        return True

    async def get(self, account: str) -> KeptTotp | None:
        return self.rows.get(account)

    async def use(self, account: str, *, secret: bytes, step: int, now: float) -> bool:
        row = self.rows.get(account)
        if row is None or row.secret != secret or row.step >= step:
            return False
        self.rows[account] = replace(row, step=step, confirmed=row.confirmed or now)
        return True

    async def remove(self, account: str) -> bool:
        return self.rows.pop(account, None) is not None


class _RecoveryCodes:
    def __init__(self) -> None:
        self.rows: dict[str, set[bytes]] = {}

    async def replace(self, account: str, digests: Sequence[bytes], *, now: float) -> None:  # noqa: ARG002  # protocol
        self.rows[account] = set(digests)

    async def take(self, account: str, digest: bytes) -> bool:
        codes = self.rows.get(account, set())
        found = digest in codes
        codes.discard(digest)
        return found

    async def count(self, account: str) -> int:
        return len(self.rows.get(account, ()))


class _Invitations:
    def __init__(self) -> None:
        self.rows: dict[bytes, KeptInvitation] = {}

    async def put(self, *, payload: Mapping[str, Any], by: str, now: float, seconds: float) -> tuple[Secret, str]:
        handle, name = new_handle(), new_id()
        self.rows[handle.reveal()] = KeptInvitation(id=name, payload=payload, by=by, created=now, expires=now + seconds)
        return handle, name

    async def read(self, handle: Secret, *, now: float) -> KeptInvitation | None:
        row = self.rows.get(handle.reveal())
        return row if row is not None and row.expires > now else None

    async def take(self, handle: Secret, *, now: float) -> KeptInvitation | None:
        row = await self.read(handle, now=now)
        self.rows.pop(handle.reveal(), None)
        return row

    async def pending(self, *, now: float, limit: int = 100) -> Sequence[KeptInvitation]:
        return [row for row in self.rows.values() if row.expires > now][:limit]

    async def withdraw(self, invitation: str) -> bool:
        found = [handle for handle, row in self.rows.items() if row.id == invitation]
        for handle in found:
            del self.rows[handle]
        return bool(found)


class _Events:
    def __init__(self) -> None:
        self.rows: list[Event] = []

    async def add(self, event: Event) -> None:
        self.rows.append(replace(event, sequence=len(self.rows) + 1))

    async def page(self, *, account: str = "", before: int | None = None, limit: int = 100) -> Sequence[Event]:
        found = [row for row in self.rows if not account or row.account == account]
        return [row for row in reversed(found) if before is None or row.sequence < before][:limit]


class _Attempts:
    def __init__(self) -> None:
        self.full_at: dict[str, float] = {}

    async def take(self, key: str, *, burst: int, seconds: float, now: float) -> float:
        base = max(self.full_at.get(key, now), now)
        if (wait := base + seconds - burst * seconds - now) > 0:
            return wait
        self.full_at[key] = base + seconds
        return 0.0

    async def give_back(self, key: str, *, seconds: float, now: float) -> None:
        self.full_at[key] = max(now, self.full_at[key] - seconds)


class Tables:
    def __init__(self, database: Database) -> None:
        self.accounts = database.accounts
        self.passwords = database.passwords
        self.sessions = database.sessions
        self.families = database.families
        self.revocations = database.revocations
        self.replay = database.replay
        self.passkeys = _Passkeys()
        self.totp = _Totps()
        self.recovery = _RecoveryCodes()
        self.invitations = _Invitations()
        self.attempts = _Attempts()
        self.events = _Events()


class PeopleWorld:
    """People, their clock, and shortcuts."""

    def __init__(self, database: Database, clock: ManualClock, issuer: str) -> None:
        self.clock = clock
        self.database = database
        self.tables = Tables(database)
        self.people = People.over(
            self.tables,
            keystore=MemoryKeyStore(),
            clock=clock,
            issuer=issuer,
            system="shop",
            token_seconds=900,
            cost=FLOOR,
        )

    async def account(self, user_name: str = "alice", *, password: Secret | None = PASSWORD, **more: Any) -> Account:
        """Make an account, with a password."""
        made = await self.people.accounts.create(Profile.checked(user_name=user_name, **more), by="operator")
        if password is not None:
            await self.people.credentials.set_password(made.id, password, by="operator")
        return made

    async def event_kinds(self, account: str = "") -> list[str]:
        """Return the kinds of all events so far, the oldest first."""
        return [event.kind for event in reversed(await self.tables.events.page(account=account))]


def in_world(folder: Path, scenario: Callable[[PeopleWorld], Awaitable[R]], *, issuer: str = ISSUER) -> R:
    """Run a scenario over a fresh database, and return what it returns."""

    async def run() -> R:
        async with await Database.open(sqlite_url(folder / "issuer.db")) as database:
            world = PeopleWorld(database, ManualClock(), issuer)
            try:
                return await scenario(world)
            finally:
                world.people.close()

    return asyncio.run(run())
