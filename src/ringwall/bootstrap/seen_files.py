"""Which files the blueprint reads, and what tells whether one of them was edited, added or removed."""

import os
from itertools import takewhile
from pathlib import Path, PurePosixPath

from ringwall.blueprint.files import Files

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
