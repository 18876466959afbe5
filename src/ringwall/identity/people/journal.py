"""Writes down who did what: every act about an account is an event."""

import logging
from typing import Any, Final

from ringwall.identity.store.events import IdentityEvents
from ringwall.model.clock import Clock

OPERATOR: Final = "operator"
"""Whoever runs Ringwall on this machine; the administration socket knows no other."""
NOBODY: Final = "nobody"
"""Somebody who has not proven who they are."""
_APART: Final = 1e-6

_log = logging.getLogger(__name__)


class Journal:
    """Writes events, with the time at which they are written."""

    def __init__(self, events: IdentityEvents, clock: Clock) -> None:
        self._events = events
        self._clock = clock
        self._last = 0.0

    async def note(self, kind: str, *, by: str, account: str = "", **detail: Any) -> None:
        """Write one event; what it holds is never a secret, nor what somebody typed that matched nothing.

        Args:
            kind: such as `account-created`.
            by: id of the account whose person did it, OPERATOR or NOBODY.
            account: id of the account, or of the group, that it is about.
            detail: JSON values.
        """
        _log.info("%s of %s by %s", kind, account or "no account", by)
        # Events are ordered by time, so those of one moment get moments of their own.
        self._last = max(self._clock.now(), self._last + _APART)
        await self._events.add(kind, actor=by, subject=account, payload=detail, now=self._last)
