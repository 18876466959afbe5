"""Ends what the operator has revoked: `ringwall revoke session|user|grant` reaches every proxy without the issuer.

What it ends here are the sign-in itself and its refresh tokens, so that clients are told, and nobody goes on from a
session whose tokens are refused everywhere.
"""

import asyncio
import logging
from typing import Final

from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.revocation import REVOCATIONS_FILE
from ringwall.identity.revocation.revoked import read_revocations
from ringwall.model.durable import Stamp, stamp_of
from ringwall.model.errors import RingwallError
from ringwall.model.revocation import Revocation, Revoked

LOOK_SECONDS: Final = 1.0
REASON: Final = "revoked"

_log = logging.getLogger(__name__)


class OperatorRevocations:
    """Follows the list of what is revoked, for as long as `run` runs."""

    def __init__(self, context: IssuerContext, *, begun: bool) -> None:
        """Put the parts together; the database is not opened unless `begun`."""
        self._context = context
        self._file = context.settings.state / REVOCATIONS_FILE
        self._begun = begun
        self._stamp: Stamp | None = None
        self._carried_out: frozenset[Revocation] = frozenset()

    async def run(self) -> None:
        """Follow until cancelled; where that cannot be, say so once and try again."""
        if not self._begun:
            await self._context.storage.opened.wait()
        told = False
        while True:
            try:
                await self.look()
                told = False
            except RingwallError as error:
                if not told:
                    _log.error("what was revoked could not be ended, and will be: %s", error.message)
                told = True
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """End what was revoked since the last look; RingwallError where that cannot be."""
        stamp = stamp_of(self._file)
        if stamp == self._stamp:
            return
        issuer = self._context.directory.current().issuer
        listed = frozenset(each for each in read_revocations(self._file) if each.issuer == issuer)
        for revoked in listed - self._carried_out:
            await self._end(revoked)
        self._carried_out = listed
        self._stamp = stamp

    async def _end(self, revoked: Revocation) -> None:
        database, now = await self._context.storage.database(), self._context.clock.now()
        if revoked.kind is Revoked.SESSION:
            await database.sessions.end(revoked.value, reason=REASON, now=now)
            await database.families.end_session(revoked.value, reason=REASON, now=now)
        elif revoked.kind is Revoked.GRANT:
            await database.families.end(revoked.value, reason=REASON, now=now)
        elif revoked.kind is Revoked.USER and revoked.before is None:  # else it signed out, and that is done already
            await database.sessions.end_account(revoked.value, reason=REASON, now=now)
            await database.families.end_account(revoked.value, reason=REASON, now=now)
