"""Keeps what a process prints: in a file that is rotated, and its last lines in memory."""

import os
from collections import deque
from pathlib import Path
from typing import BinaryIO, Final

_KEPT_LINES: Final = 20
_LONGEST_LINE: Final = 4096


class Capture:
    """The log file of one process.

    Args:
        path: the file; `<path>.1` is the one before it.
        limit: bytes after which a new file is begun.
    """

    def __init__(self, path: Path, *, limit: int = 8 * 1024 * 1024) -> None:
        self._path = path
        self._limit = limit
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._partial = b""
        self._file: BinaryIO | None = None
        self._size = 0

    def write(self, data: bytes) -> None:
        """Append output as it came; a full disk loses output but never stops the process."""
        self._remember(data)
        try:
            if self._file is None:
                self._open()
            elif self._size + len(data) > self._limit:
                self._rotate()
            if self._file is not None:
                self._file.write(data)
                self._size += len(data)
        except OSError:
            self.close()

    def last_lines(self) -> tuple[str, ...]:
        """Return the last lines, oldest first, an unfinished one included."""
        lines = list(self._lines)
        if self._partial:
            lines.append(self._partial.decode("utf-8", "replace"))
        return tuple(lines[-_KEPT_LINES:])

    def forget(self) -> None:
        """Forget the lines in memory, because a new process starts; the file stays."""
        self._lines.clear()
        self._partial = b""

    def close(self) -> None:
        """Close the file; the next write opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _remember(self, data: bytes) -> None:
        *complete, self._partial = (self._partial + data).split(b"\n")
        self._partial = self._partial[-_LONGEST_LINE:]
        for line in complete[-_KEPT_LINES:]:
            self._lines.append(line[:_LONGEST_LINE].decode("utf-8", "replace").rstrip("\r"))

    def _open(self) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        self._file = os.fdopen(descriptor, "ab", buffering=0)
        self._size = os.fstat(descriptor).st_size

    def _rotate(self) -> None:
        self.close()
        self._path.replace(self._path.with_name(self._path.name + ".1"))
        self._open()
