"""The files of a blueprint, on disk."""

import os
import stat
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path, PurePosixPath

from ringwall.blueprint.files import (
    MAX_FILE_BYTES,
    MAX_GLOB_MATCHES,
    FileRefusedError,
    absent,
    check_relative,
    matches,
    too_large,
)

_MAX_VISITED = 20_000


class DiskFiles:
    """The regular files below one folder; whatever leads out of it, symbolic links included, is refused."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._folders: dict[str, Path] = {}

    def read(self, path: str) -> bytes:
        """Return the content of a file, at most MAX_FILE_BYTES of it."""
        plain = check_relative(path)
        folder, _, name = plain.rpartition("/")
        if folder not in self._folders:
            self._folders[folder] = self._resolve(folder, path)
        try:
            descriptor = self._open(f"{self._folders[folder]}/{name}")
        except OSError:  # it is a link, or there is something to say about it
            try:
                descriptor = self._open(self._resolve(plain, path))
            except OSError as error:
                raise self._unreadable(path, error) from None
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise FileRefusedError(f"{path!r} is not a regular file")
        with os.fdopen(descriptor, "rb") as file:
            if status.st_size > MAX_FILE_BYTES:
                raise too_large(path, status.st_size)
            try:
                content = file.read(MAX_FILE_BYTES + 1)
            except OSError as error:
                raise self._unreadable(path, error) from None
        if len(content) > MAX_FILE_BYTES:
            raise too_large(path, len(content))
        return content

    def glob(self, pattern: str) -> tuple[str, ...]:
        """Return the files that match, sorted; links to folders are not followed."""
        plain = check_relative(pattern)
        *folders, last = PurePosixPath(plain).parts
        fixed = list(takewhile(lambda part: not any(c in part for c in "*?["), folders))
        if fixed and not (self._root / Path(*fixed)).exists():
            return ()
        start = self._resolve("/".join(fixed), pattern) if fixed else self._root
        depth = None if "**" in (*folders, last) else len(folders)
        found: list[str] = []
        for visited, inner in enumerate(self._below(start, depth)):
            if matches(plain, inner):
                found.append(inner)
            if visited > _MAX_VISITED or len(found) > MAX_GLOB_MATCHES:
                raise FileRefusedError(
                    f"{pattern!r} matches or searches too many files", hint="name a folder that holds only policies"
                )
        return tuple(sorted(found))

    @staticmethod
    def _open(path: Path | str) -> int:
        # O_NONBLOCK: opening a pipe must not wait for its writer.
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)

    def _below(self, start: Path, depth: int | None) -> Iterator[str]:
        """Yield the files below a folder, at most `depth` folders below the root."""
        for folder, folders, names in os.walk(start):
            inner = Path(folder).relative_to(self._root)
            if depth is not None and len(inner.parts) >= depth:
                folders.clear()
            yield from ((inner / name).as_posix() for name in names)

    def _resolve(self, plain: str, path: str) -> Path:
        try:
            inner = (self._root / plain).resolve(strict=True)
        except (FileNotFoundError, NotADirectoryError):
            raise absent(path) from None
        except (OSError, RuntimeError) as error:
            raise self._unreadable(path, error) from None
        if not inner.is_relative_to(self._root):
            raise FileRefusedError(
                f"{path!r} is a link that leads out of the blueprint's folder",
                code="path-escapes",
                hint="copy the file into the folder",
            )
        return inner

    @staticmethod
    def _unreadable(path: str, error: Exception) -> FileRefusedError:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it cannot be read"
        return FileRefusedError(f"{path!r} cannot be read: {reason}", hint="check its permissions")
