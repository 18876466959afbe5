"""People over a real SQLite database, with a clock that tests move."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from ringwall.identity.keystore import MemoryKeyStore
from ringwall.identity.people.passwords import FLOOR
from ringwall.identity.people.people import People
from ringwall.identity.people.profile import Profile
from ringwall.identity.people.sign_in import Visitor
from ringwall.identity.store.accounts import Account
from ringwall.identity.store.database import Database, sqlite_url
from ringwall.model.clock import ManualClock
from ringwall.model.secret import Secret

ISSUER = "https://shop.localhost:8443/auth"
PASSWORD = Secret("correct horse battery staple")
VISITOR = Visitor(source="192.0.2.1", binding="browser-1")
R = TypeVar("R")


class PeopleWorld:
    """People, their clock, and shortcuts."""

    def __init__(self, database: Database, clock: ManualClock, issuer: str) -> None:
        self.clock = clock
        self.database = database
        self.people = People.over(
            database,
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
        """Return the kinds of all events so far, or of those about an account, the oldest first."""
        events = self.database.events
        found = await (events.by_subject(account) if account else events.page())
        return [event.act for event in reversed(found)]


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
