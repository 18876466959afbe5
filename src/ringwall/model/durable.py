"""Files that are replaced as a whole or not at all, and noticed when they are."""

import contextlib
import os
import secrets
from pathlib import Path

from ringwall.model.errors import RingwallError

Stamp = tuple[int, int, int]


class StorageError(RingwallError):
    """A file of the state folder cannot be written or read."""

    code = "storage"


def replace_file(path: Path, content: bytes, *, sync: bool = True) -> None:
    """Write `content` beside `path` (mode 0600), sync it, and rename it into place; StorageError where that fails.

    Whoever reads `path` finds the old content or the new one, also after a crash at any moment. Without `sync` that
    holds for a crash of this process, and not of the machine.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        temporary.replace(path)
        if not sync:
            return
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise StorageError(
            f"cannot write {path}: {error.strerror}", hint="is the disk full, or the folder not yours?"
        ) from error


def remove_leftovers(folder: Path, name: str) -> None:
    """Remove what a crash in the middle of `replace_file` left beside `name`."""
    for leftover in folder.glob(f".{name}.*.tmp"):
        leftover.unlink(missing_ok=True)


def stamp_of(path: Path | str) -> Stamp | None:
    """Return what changes whenever a file is replaced or written; None where there is no file."""
    try:
        status = os.stat(path)  # noqa: PTH116  # asked with every request, and a Path costs as much again
    except OSError:
        return None
    return (status.st_ino, status.st_mtime_ns, status.st_size)
