"""Opening the database, and all that is kept in it."""

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

from ringwall.identity.store.accounts import Accounts
from ringwall.identity.store.attempts import AttemptBudgets
from ringwall.identity.store.clients import RegisteredClients
from ringwall.identity.store.codes import Codes
from ringwall.identity.store.consents import Consents
from ringwall.identity.store.devices import Devices
from ringwall.identity.store.driver import BATCH, Driver
from ringwall.identity.store.endings import Endings
from ringwall.identity.store.events import IdentityEvents
from ringwall.identity.store.external_ids import ExternalIds
from ringwall.identity.store.families import Families
from ringwall.identity.store.groups import Groups
from ringwall.identity.store.invitations import Invitations
from ringwall.identity.store.links import Links
from ringwall.identity.store.logouts import Logouts
from ringwall.identity.store.passkeys import Passkeys
from ringwall.identity.store.passwords import Passwords
from ringwall.identity.store.recovery import RecoveryCodes
from ringwall.identity.store.replay import Replay
from ringwall.identity.store.revocations import Revocations
from ringwall.identity.store.schema import bring_up_to_date
from ringwall.identity.store.sessions import LoginSessions
from ringwall.identity.store.tickets import Tickets, sweep_tickets
from ringwall.identity.store.totp import Totps
from ringwall.identity.store.url import DatabaseUrl


class Database:
    """The issuer's database, open: one repository for each concern.

    Several processes may have the same database open. One object belongs to one event loop.

    Attributes:
        codes: authorization codes.
        families: refresh tokens.
        sessions: login sessions of people.
        logouts: which clients must be told that a session has ended.
        replay: what must be seen only once.
        pushed: pushed authorization requests (RFC 9126); the owner is the client.
        interactions: authorization requests that wait for a login or a consent; the owner is up to the caller.
        challenges: passkey challenges; the owner is the session, or whatever else they are bound to.
        devices: device authorizations.
        consents: what people have allowed.
        revocations: what verifiers must refuse.
        accounts: people.
        groups: groups of people.
        external_ids: what provisioning clients call people and groups.
        passwords: their password hashes.
        passkeys: their passkeys.
        totp: their generators of one-time passwords.
        recovery: their recovery codes.
        links: their accounts at providers of others.
        invitations: those who are to become people.
        endings: of sessions, families and tokens, each with what came of it.
        attempts: counts of attempts, to slow guessing down.
        budgets: the same, as budgets that refill.
        clients: clients that have registered themselves.
        events: who did what.
    """

    def __init__(self, driver: Driver) -> None:
        """Take a driver of a database whose tables are current; everybody else calls `open`."""
        self._driver: Final = driver
        self.codes: Final = Codes(driver)
        self.families: Final = Families(driver)
        self.sessions: Final = LoginSessions(driver)
        self.logouts: Final = Logouts(driver)
        self.replay: Final = Replay(driver)
        self.pushed: Final = Tickets(driver, "pushed request")
        self.interactions: Final = Tickets(driver, "authorization request")
        self.registrations: Final = Tickets(driver, "initial access token")
        self.challenges: Final = Tickets(driver, "challenge")
        self.devices: Final = Devices(driver)
        self.consents: Final = Consents(driver)
        self.revocations: Final = Revocations(driver)
        self.accounts: Final = Accounts(driver)
        self.groups: Final = Groups(driver)
        self.external_ids: Final = ExternalIds(driver)
        self.passwords: Final = Passwords(driver)
        self.passkeys: Final = Passkeys(driver)
        self.totp: Final = Totps(driver)
        self.recovery: Final = RecoveryCodes(driver)
        self.links: Final = Links(driver)
        self.invitations: Final = Invitations(driver)
        self.budgets: Final = AttemptBudgets(driver)
        self.endings: Final = Endings(
            driver,
            sessions=self.sessions,
            families=self.families,
            revocations=self.revocations,
            budgets=self.budgets,
        )
        self.clients: Final = RegisteredClients(driver)
        self.events: Final = IdentityEvents(driver)

    @classmethod
    async def open(cls, url: str) -> Self:
        """Open a database, make its tables where it is empty, and upgrade them where they are older.

        Args:
            url: `sqlite:////absolute/path`, `sqlite:///relative/path`, or `postgresql://user:password@host/database`
                with the options of PostgreSQL's own URLs.

        Raises:
            StoreError: its subclasses say whether it cannot be reached, is damaged, unwritable, or newer than this
                Ringwall.
        """
        place = DatabaseUrl.parse(url)
        driver = await place.connect()
        try:
            await bring_up_to_date(driver, place)
        except BaseException:
            await driver.close()
            raise
        return cls(driver)

    async def close(self) -> None:
        """End all connections."""
        await self._driver.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def sweep(self, *, now: float) -> int:
        """Delete what has expired and need not be remembered, in small batches, and return how many rows it was.

        To be called every minute or so; several processes may do it at once.
        """
        total = 0
        for swept in (
            self.codes.sweep,
            self.families.sweep,
            self.sessions.sweep,
            self.replay.sweep,
            self.devices.sweep,
            self.revocations.sweep,
            self.invitations.sweep,
            self.budgets.sweep,
            self.events.sweep,
            self._sweep_tickets,
        ):
            while (count := await swept(now=now)) >= BATCH:
                total += count
                await asyncio.sleep(0)  # others come first
            total += count
        return total

    async def _sweep_tickets(self, *, now: float) -> int:
        return await sweep_tickets(self._driver, now=now)


def sqlite_url(path: Path) -> str:
    """Return the URL of a SQLite file."""
    return f"sqlite:///{quote(str(path))}"
