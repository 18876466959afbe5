"""Notices that a file which the blueprint reads was edited, added or removed.

Files are asked for their identity, size and time of change again and again: that works on every file system and with
every way in which editors save, and costs less than 1 % of a core for hundreds of files.
"""

import asyncio
import os
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Final

from ringwall.blueprint.files import Files

POLL_SECONDS: Final = 0.05
SETTLE_SECONDS: Final = 0.02

Sign = tuple[int, int, int] | None
"""Identity, size and time of change of a file; None where there is none."""


class SeenFiles:
    """Passes every question on to `files`, and remembers what was asked for.

    Attributes:
        seen: files that were read or looked for, and folders whose listing mattered, each with its sign from just
            before it was read: whatever happens later is a change.
    """

    def __init__(self, root: Path, files: Files) -> None:
        self._root = root
        self._files = files
        self.seen: dict[Path, Sign] = {}

    def read(self, path: str) -> bytes:
        """Return the content of a file."""
        self._note(path)
        return self._files.read(path)

    def glob(self, pattern: str) -> tuple[str, ...]:
        """Return the files that match, sorted."""
        fixed = takewhile(lambda part: not set(part) & set("*?["), PurePosixPath(pattern).parts[:-1])
        self._note(str(PurePosixPath(*fixed)))
        found = self._files.glob(pattern)
        for folder in {PurePosixPath(path).parent for path in found}:
            self._note(str(folder))
        return found

    def _note(self, path: str) -> None:
        whole = self._root / path
        self.seen.setdefault(whole, sign_of(whole))


def sign_of(path: Path) -> Sign:
    """Return what changes when the file at `path` is edited, replaced, added or removed."""
    try:
        status = os.stat(path)  # noqa: PTH116  # called thousands of times a second
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


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
