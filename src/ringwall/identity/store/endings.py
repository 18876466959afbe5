"""Ends what tokens came from, and the tokens, in one transaction: whatever fails, nobody is left half signed out.

Who is told that it did not work can try it again; had the session ended alone, there would be nothing to try it with.

Proxies compare each request with everything that is revoked, so there is an end to how much can be. Whoever ends thing
after thing would fill the list for everybody else; so after some of them all their tokens are revoked that there are by
then, which is one entry. Their clients get new ones, where they still may.
"""

from typing import Final

from ringwall.identity.store.attempts import AttemptBudgets
from ringwall.identity.store.driver import Driver
from ringwall.identity.store.families import Families
from ringwall.identity.store.family_statements import END_ONE, END_SESSION
from ringwall.identity.store.revocations import Revocations, add_within
from ringwall.identity.store.sessions import LoginSessions, end_within

SINGLY: Final = 100
"""Things of one owner that are revoked one by one, at once."""
PAUSE_SECONDS: Final = 10.0
"""Until one more is."""
_BUDGET: Final = "revoked singly"


class Endings:
    """Ends one session, one family of refresh tokens, or one token, with all that came of it."""

    def __init__(
        self,
        driver: Driver,
        *,
        sessions: LoginSessions,
        families: Families,
        revocations: Revocations,
        budgets: AttemptBudgets,
    ) -> None:
        self._driver: Final = driver
        self._sessions: Final = sessions
        self._families: Final = families
        self._revocations: Final = revocations
        self._budgets: Final = budgets

    async def session(self, session: str, *, reason: str, now: float, expires: float) -> tuple[str, ...] | None:
        """End a login session, its families, and its access tokens, whose end must be known until `expires`.

        Return the ids of the families that were alive; None where the session was not, and nothing is changed.
        """
        found = await self._sessions.get(session)
        if found is None:
            return None
        kind, subject, until = await self._what("session", session, of=("account", found.account), now=now)
        async with self._driver.transaction() as within:
            if not await end_within(within, session, reason=reason, now=now):
                return None
            rows = await within.rows(END_SESSION, session=session, reason=reason, now=now)
            await add_within(within, kind, subject, reason=reason, now=until, expires=expires)
        self._sessions.ended.set()
        self._revocations.added.set()
        return tuple(row[0] for row in rows)

    async def family(self, family: str, *, reason: str, now: float, expires: float) -> bool:
        """End a family and its access tokens, as above; return whether it was alive until now."""
        found = await self._families.get(family)
        if found is None:
            return False
        kind, subject, until = await self._what("family", family, of=("account", found.account), now=now)
        async with self._driver.transaction() as within:
            if not await within.rows(END_ONE, id=family, reason=reason, now=now):
                return False
            await add_within(within, kind, subject, reason=reason, now=until, expires=expires)
        self._revocations.added.set()
        return True

    async def tokens_of(self, family: str, *, account: str, reason: str, now: float, expires: float) -> None:
        """End the access tokens of a family that has ended already."""
        kind, subject, until = await self._what("family", family, of=("account", account), now=now)
        await self._revocations.add(kind, subject, reason=reason, now=until, expires=expires)

    async def token(self, jti: str, *, family: str, client: str, reason: str, now: float, expires: float) -> None:
        """End one access token: of a `family`, which ends where there are too many; or of the client's own."""
        if family:
            kind, subject, until = await self._what("token", jti, of=("family", family), now=now)
        else:
            kind, subject, until = await self._what("token", jti, of=("client", client), now=now)
        if kind == "family" and await self.family(family, reason=reason, now=now, expires=expires):
            return
        await self._revocations.add(kind, subject, reason=reason, now=until, expires=expires)

    async def _what(self, kind: str, subject: str, *, of: tuple[str, str], now: float) -> tuple[str, str, float]:
        """Return what is to be revoked, and up to when: the thing itself, or all of its owner up to this second."""
        owner, name = of
        key = f"{owner} {name}"
        if not name or not await self._budgets.take(_BUDGET, key, burst=SINGLY, seconds=PAUSE_SECONDS, now=now):
            return kind, subject, now
        return owner, name, now + 1  # `iat` counts whole seconds, and this one is meant too
