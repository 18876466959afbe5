"""Tells clients that sessions have ended (OpenID Connect Back-Channel Logout 1.0, section 2.5).

What is to be told is in the database from the moment in which a session ends, so it outlives this process; no request
waits for it. Each client is told by a task of its own, one message after the other: one that cannot be reached holds
nobody else up, and is left alone for ever longer times.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode

from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.directory import Directory
from ringwall.identity.issuer.encrypted_answers import logout_token_for
from ringwall.identity.issuer.in_threads import in_thread
from ringwall.identity.issuer.logout_tokens import make_logout_token
from ringwall.identity.store.logouts import Logout
from ringwall.model.errors import RingwallError
from ringwall.plan.client import Client

LOOK_SECONDS: Final = 1.0
"""How often to look for what is due, or what another process has ended."""
FIRST_PAUSE: Final = 5.0
LONGEST_PAUSE: Final = 3600.0
GIVE_UP_SECONDS: Final = 86_400.0
"""How long a client that cannot be reached is tried: no session lasts longer."""
CLAIM_SECONDS: Final = 60.0
"""For so long no other process tries the same; if this one dies, one does afterwards."""
AT_ONCE: Final = 8
"""How many clients are told at the same time."""
Deliver = Callable[[Client, bytes, Directory], None]
"""Posts a form to a client's address, which may block; FetchError where the client does not take it."""

_log = logging.getLogger(__name__)


class BackChannelLogout:
    """Sends logout tokens for as long as `run` runs."""

    def __init__(self, context: IssuerContext, deliver: Deliver, *, begun: bool) -> None:
        """Put the parts together.

        Args:
            context: of the issuer; the database is not opened unless `begun`.
            deliver: how a token is delivered.
            begun: whether there may be something from a former run to send.
        """
        self._context = context
        self._deliver = deliver
        self._begun = begun
        self._told: dict[str, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def run(self) -> None:
        """Send until cancelled; where the database is away, say so once and try again."""
        if not self._begun:
            await self._context.storage.opened.wait()
        told = False
        try:
            while True:
                try:
                    await self.look()
                    told = False
                    await self._wait()
                except RingwallError as error:
                    if not told:
                        _log.error("clients cannot be told of ended sessions, and will be: %s", error.message)
                    told = True
                    await asyncio.sleep(LOOK_SECONDS)
        finally:
            for task in self._told.values():
                task.cancel()

    async def look(self) -> None:
        """Begin to tell every client that is to be told something, unless that is being done."""
        database = await self._context.storage.database()
        database.sessions.ended.clear()  # before looking, so that nothing is missed
        for client in await database.logouts.waiting(now=self._context.clock.now()):
            if client not in self._told:
                self._told[client] = asyncio.create_task(self._tell(client))

    async def _wait(self) -> None:
        ended = (await self._context.storage.database()).sessions.ended
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await ended.wait()

    async def settle(self) -> None:
        """Wait until nothing is being sent."""
        while self._told:
            await asyncio.wait(list(self._told.values()))

    async def _tell(self, client: str) -> None:
        try:
            async with self._slots:
                logouts = (await self._context.storage.database()).logouts
                while logout := await logouts.claim(client, now=self._context.clock.now(), seconds=CLAIM_SECONDS):
                    if not await self._send(logout):
                        break
        except RingwallError as error:
            _log.error("client %r could not be told of an ended session, and will be: %s", client, error.message)
        finally:
            del self._told[client]

    async def _send(self, logout: Logout) -> bool:
        """Send one logout token; return whether the client was there to take it."""
        directory, now = self._context.directory.current(), self._context.clock.now()
        logouts = (await self._context.storage.database()).logouts
        client = await self._context.client(logout.client)
        if client is None or not client.backchannel_logout_uri:
            await logouts.done(logout)
            return True
        try:
            subject = self._context.subjects.of(client, logout.account)
            sign = self._context.keys.sign
            token = make_logout_token(logout, client, subject=subject, directory=directory, now=now, sign=sign)
            token = logout_token_for(client, token, issuer=directory.issuer)
            form = urlencode({"logout_token": token}).encode("ascii")
            await in_thread(lambda: self._deliver(client, form, directory), name="back-channel logout")
        except RingwallError as error:
            await self._not_taken(logout, error.message)
            return False
        await logouts.done(logout)
        _log.info("client %r was told that a session has ended", logout.client)
        return True

    async def _not_taken(self, logout: Logout, failure: str) -> None:
        """Try again later, or never where that would go on for too long."""
        database, now = await self._context.storage.database(), self._context.clock.now()
        pause = min(FIRST_PAUSE * 2.0 ** min(logout.attempts - 1, 30), LONGEST_PAUSE)
        await database.logouts.put_off(logout, now=now, seconds=pause)
        if now + pause < logout.since + GIVE_UP_SECONDS:
            if logout.attempts == 1:
                _log.warning("client %r was not told of an ended session, and will be: %s", logout.client, failure)
            return
        await database.logouts.done(logout)
        await database.events.add(
            "logout-not-delivered",
            actor="",
            subject=logout.account,
            payload={"client": logout.client, "session": logout.session, "reason": failure},
            now=now,
        )
        _log.error("client %r will not be told of an ended session: %s", logout.client, failure)
