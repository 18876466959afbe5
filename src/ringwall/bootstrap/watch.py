"""Notices that a file which the blueprint reads was edited, added or removed.

Files are asked for their identity, size and time of change again and again: that works on every file system and with
every way in which editors save. Folders, and files that were edited lately, are asked far more often than the rest:
most editors put a new file in the place of the old one, which changes the folder, and an edit is seldom alone.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from ringwall.bootstrap.seen_files import Sign, sign_of

GLANCE_SECONDS: Final = 0.02
GLANCES: Final = 5
"""So many glances at a few files before all are looked at: 0.1 s, which costs 2 % of a core for 400 files."""
_LATELY: Final = 8


class Watch:
    """Watches what a `SeenFiles` has seen."""

    def __init__(self) -> None:
        self._signs: dict[Path, Sign] = {}
        self._folders: dict[Path, Sign] = {}
        self._lately: deque[Path] = deque(maxlen=_LATELY)

    def look_at(self, seen: Mapping[Path, Sign]) -> None:
        """Watch these from now on, instead of those before."""
        self._signs = dict(seen)
        # Not of the moment when they were seen: the first glance then leads to a look at everything, once.
        self._folders = dict.fromkeys({path.parent for path in seen})

    async def change(self) -> None:
        """Return when something has changed and then stayed the same for a moment."""
        changed = False
        glances = 0
        while True:
            if changed or glances % GLANCES == 0 or self._glance():
                if self._differs():
                    changed = True
                elif changed:
                    return
            glances += 1
            await asyncio.sleep(GLANCE_SECONDS)

    def _glance(self) -> bool:
        """Return whether a folder, or a file that was edited lately, is another than at the last look or glance."""
        folders = _signs(self._folders)
        moved = folders != self._folders
        self._folders = folders
        return moved or any(sign_of(path) != self._signs[path] for path in self._lately if path in self._signs)

    def _differs(self) -> bool:
        """Take the signs of all again; return whether some are new."""
        now = _signs(self._signs)
        new = [path for path, sign in now.items() if sign != self._signs[path]]
        self._signs = now
        self._lately.extend(path for path in new if path not in self._lately)
        return bool(new)


def _signs(paths: Iterable[Path]) -> dict[Path, Sign]:
    return {path: sign_of(path) for path in paths}
