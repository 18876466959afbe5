"""Notices that a file which the blueprint reads was edited, added or removed.

Files are asked for their identity, size and time of change again and again: that works on every file system and with
every way in which editors save, and costs less than 1 % of a core for hundreds of files.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ringwall.bootstrap.seen_files import Sign, sign_of

POLL_SECONDS: Final = 0.05
SETTLE_SECONDS: Final = 0.02


class Watch:
    """Watches what a `SeenFiles` has seen."""

    def __init__(self) -> None:
        self._signs: dict[Path, Sign] = {}

    def look_at(self, seen: Mapping[Path, Sign]) -> None:
        """Watch these from now on, instead of those before."""
        self._signs = dict(seen)

    async def change(self) -> None:
        """Return when something has changed and then stayed the same for a moment."""
        pause = POLL_SECONDS
        changed = False
        while True:
            if self._differs():
                changed, pause = True, SETTLE_SECONDS
            elif changed:
                return
            await asyncio.sleep(pause)

    def _differs(self) -> bool:
        """Take the signs again; return whether some are new."""
        now = {path: sign_of(path) for path in self._signs}
        changed = now != self._signs
        self._signs = now
        return changed
