"""Ends what was begun in a person's name: sessions, clients' refresh tokens, consents; and tokens given out so far."""

from dataclasses import dataclass
from typing import Final

from ringwall.identity.people.errors import AccountError
from ringwall.identity.people.journal import Journal
from ringwall.identity.store.database import Database
from ringwall.model.clock import Clock

_SKEW_SECONDS: Final = 120.0
"""How much longer than a token lives its revocation is remembered."""
_GONE: Final = "there is no such thing any more"


@dataclass(frozen=True, slots=True)
class Ended:
    """What was ended with a person's sessions.

    Attributes:
        sessions: how many login sessions.
        families: how many clients' refresh tokens.
    """

    sessions: int
    families: int


class Endings:
    """Ends things of one person at a time; what is named must be theirs.

    Args:
        token_seconds: how long an access token can live at most: so long a revocation must be remembered.
    """

    def __init__(self, database: Database, journal: Journal, clock: Clock, *, token_seconds: float) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._token_seconds = token_seconds

    async def everything(self, account: str, *, reason: str, spared: str = "") -> Ended:
        """End sessions first, so that no new tokens come from them, then refresh tokens, then access tokens.

        With a `spared` session, only what came from the other ones.
        """
        now = self._clock.now()
        sessions = await self._database.sessions.end_account(account, reason=reason, now=now, spared=spared)
        if spared:
            families: list[str] = []
            for session in sessions:
                families += await self._database.families.end_session(session, reason=reason, now=now)
                await self._revoke("session", session, reason)
            return Ended(len(sessions), len(families))
        ended = await self._database.families.end_account(account, reason=reason, now=now)
        for family in ended:  # `iat` counts whole seconds, so what was issued within this one needs to be named
            await self._revoke("family", family, reason)
        await self._revoke("account", account, reason)
        return Ended(len(sessions), len(ended))

    async def sign_out(self, account: str, *, by: str, spared: str = "") -> Ended:
        """End a person's sessions everywhere, but the `spared` one; tokens given out so far are refused."""
        ended = await self.everything(account, reason="signed-out", spared=spared)
        await self._journal.note(
            "sessions-ended", by=by, account=account, sessions=ended.sessions, families=ended.families
        )
        return ended

    async def session(self, account: str, session: str, *, by: str) -> None:
        """End one session, and what came from it; AccountError where it is not this person's, or over."""
        now, reason = self._clock.now(), "signed-out"
        found = await self._database.sessions.get(session)
        if found is None or found.account != account:
            raise AccountError(_GONE)
        expires = self._expires(now)
        if await self._database.endings.session(session, reason=reason, now=now, expires=expires) is None:
            raise AccountError(_GONE)
        await self._journal.note("session-ended", by=by, account=account, session=session)

    async def client(self, account: str, family: str, *, by: str) -> None:
        """End one client's or device's refresh tokens, and its access tokens; AccountError as above."""
        found = await self._database.families.get(family)
        if found is None or found.account != account:
            raise AccountError(_GONE)
        now = self._clock.now()
        expires = self._expires(now)
        if not await self._database.endings.family(family, reason="disconnected", now=now, expires=expires):
            raise AccountError(_GONE)
        await self._journal.note("client-disconnected", by=by, account=account, client=found.client)

    async def consent(self, account: str, client: str, *, by: str) -> None:
        """Withdraw what was allowed to a client, and end all its refresh tokens; AccountError where there is none."""
        reason = "consent-withdrawn"
        if not await self._database.consents.withdraw(account=account, client=client):
            raise AccountError(_GONE)
        families = await self._database.families.end_account(
            account, reason=reason, now=self._clock.now(), client=client
        )
        for family in families:
            await self._revoke("family", family, reason)
        await self._journal.note(reason, by=by, account=account, client=client)

    async def _revoke(self, kind: str, subject: str, reason: str) -> None:
        now = self._clock.now()
        await self._database.revocations.add(kind, subject, reason=reason, now=now, expires=self._expires(now))

    def _expires(self, now: float) -> float:
        return now + self._token_seconds + _SKEW_SECONDS
