"""Ends what tokens came from, and the tokens, in one transaction: whatever fails, nobody is left half signed out.

Who is told that it did not work can try it again; had the session ended alone, there would be nothing to try it with.
"""

from typing import Final

from ringwall.identity.store.driver import Driver
from ringwall.identity.store.families import END_ONE, END_SESSION
from ringwall.identity.store.revocations import Revocations, add_within
from ringwall.identity.store.sessions import LoginSessions, end_within


class Endings:
    """Ends one session, or one family of refresh tokens, with all that came of it."""

    def __init__(self, driver: Driver, *, sessions: LoginSessions, revocations: Revocations) -> None:
        self._driver: Final = driver
        self._sessions: Final = sessions
        self._revocations: Final = revocations

    async def session(self, session: str, *, reason: str, now: float, expires: float) -> tuple[str, ...] | None:
        """End a login session, its families, and its access tokens, whose end must be known until `expires`.

        Return the ids of the families that were alive; None where the session was not, and nothing is changed.
        """
        async with self._driver.transaction() as within:
            if not await end_within(within, session, reason=reason, now=now):
                return None
            rows = await within.rows(END_SESSION, session=session, reason=reason, now=now)
            await add_within(within, "session", session, reason=reason, now=now, expires=expires)
        self._sessions.ended.set()
        self._revocations.added.set()
        return tuple(row[0] for row in rows)

    async def family(self, family: str, *, reason: str, now: float, expires: float) -> bool:
        """End a family and its access tokens, as above; return whether it was alive until now."""
        async with self._driver.transaction() as within:
            if not await within.rows(END_ONE, id=family, reason=reason, now=now):
                return False
            await add_within(within, "family", family, reason=reason, now=now, expires=expires)
        self._revocations.added.set()
        return True
