"""Where the text of a blueprint and of the files it names comes from.

The stages that read it do no I/O; whoever starts them passes a `Files`.
"""

import re
from collections.abc import Mapping
from fnmatch import translate
from pathlib import PurePosixPath
from typing import Protocol

from ringwall.model.errors import RingwallError

MAX_FILE_BYTES = 4 * 1024 * 1024
"""Larger files are refused before they are read."""

MAX_GLOB_MATCHES = 1_000
"""A pattern that matches more files than this is refused."""


class FileRefusedError(RingwallError):
    """A file named by the blueprint is absent, too large, unreadable, or outside the blueprint's folder."""

    code = "file-refused"

    def __init__(self, message: str, *, code: str = "file-refused", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code


class Files(Protocol):
    """The files below a blueprint's folder; paths are relative, with forward slashes."""

    def read(self, path: str) -> bytes:
        """Return the content of a file, or raise FileRefusedError."""
        ...

    def glob(self, pattern: str) -> tuple[str, ...]:
        """Return the files that match, sorted; `*` stays within a folder, `**` is any number of folders."""
        ...


def check_relative(path: str) -> str:
    """Return `path` in its plain form if it stays below the folder as written, else raise FileRefusedError."""
    if not path or "\0" in path:
        raise FileRefusedError("an empty path names no file", code="path-invalid")
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or path.startswith("~") or "\\" in path:
        raise FileRefusedError(
            f"{path!r} leads out of the blueprint's folder",
            code="path-escapes",
            hint="name files by their path below the folder that holds the blueprint, with forward slashes",
        )
    return str(pure)


def absent(path: str) -> FileRefusedError:
    """Return the error for a file that is not there."""
    return FileRefusedError(f"there is no file {path!r}", code="file-not-found")


def too_large(path: str, size: int) -> FileRefusedError:
    """Return the error for a file of `size` bytes that is over the limit."""
    return FileRefusedError(
        f"{path!r} is {size:,} bytes long, at most {MAX_FILE_BYTES:,} are read",
        code="file-too-large",
        hint="split it, or remove examples and descriptions from it",
    )


def matches(pattern: str, path: str) -> bool:
    """Return whether a path matches a pattern, with `*` and `?` kept within one folder and `**` crossing folders."""
    return _matches(pattern.split("/"), path.split("/"))


def _matches(pattern: list[str], parts: list[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_matches(pattern[1:], parts[i:]) for i in range(len(parts) + 1))
    return bool(parts) and re.match(translate(pattern[0]), parts[0]) is not None and _matches(pattern[1:], parts[1:])


class MemoryFiles:
    """Files held in memory, for tests, for benchmarks and for callers that made the text themselves."""

    def __init__(self, files: Mapping[str, str | bytes]) -> None:
        self._files = {
            check_relative(path): text.encode() if isinstance(text, str) else text for path, text in files.items()
        }

    def read(self, path: str) -> bytes:
        """Return the content of a file."""
        content = self._files.get(check_relative(path))
        if content is None:
            raise absent(path)
        if len(content) > MAX_FILE_BYTES:
            raise too_large(path, len(content))
        return content

    def glob(self, pattern: str) -> tuple[str, ...]:
        """Return the files that match, sorted."""
        plain = check_relative(pattern)
        return tuple(sorted(path for path in self._files if matches(plain, path)))

    def replaced(self, path: str, content: str | bytes) -> "MemoryFiles":
        """Return a copy with one file replaced or added."""
        return MemoryFiles({**self._files, path: content})
