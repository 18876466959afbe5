"""A key store in a folder that only its owner can read.

Outside development mode every entry is encrypted (see `ringwall.identity.sealing`). In development mode entries lie as
they are, which the store says when it is opened. One folder is one or the other, never both: a folder
of unencrypted keys cannot be opened with a passphrase, nor a sealed folder without one.
"""

import contextlib
import fcntl
import logging
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ringwall.identity.keystore import (
    MAX_ENTRY_BYTES,
    NAME,
    RESTORE,
    KeyMissingError,
    KeyStore,
    KeyStoreError,
    check_name,
    check_size,
)
from ringwall.identity.sealing import HEADER_NAME, Sealer, SealingError
from ringwall.model.durable import StorageError, replace_file, stamp_of
from ringwall.model.secret import Secret

_SEALED: Final = ".sealed"

_log = logging.getLogger(__name__)


class FolderKeyStore(KeyStore):
    """Entries as files (mode 0600) in a folder (mode 0700) of the user that Ringwall runs as.

    The control plane and the issuer each have a folder of their own; several processes of one issuer share theirs.
    """

    def __init__(self, folder: Path, *, passphrase: Secret | None) -> None:
        """Open or create the folder.

        Args:
            folder: where the entries lie; created where it is missing.
            passphrase: what entries are encrypted under; None is development mode, and leaves them unencrypted.

        Raises:
            KeyStoreError: the folder is readable by others, belongs to somebody else, is of the other mode,
                or the passphrase is not the one it was made with.
        """
        self.folder = folder
        self._name = os.fspath(folder)
        self.development = passphrase is None
        self._lock = threading.Lock()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise KeyStoreError(f"cannot make the folder {folder}: {error.strerror}") from error
        _check_private(folder.lstat(), folder, want_folder=True)
        with self.exclusive():  # so that nobody is writing
            for leftover in folder.glob(".*.tmp"):
                leftover.unlink(missing_ok=True)  # a write that a crash cut short; its entry still has the old content
            self._sealer = self._open_sealer(passphrase)
        self._suffix = "" if self._sealer is None else _SEALED
        if self._sealer is None:
            _log.warning("%s", self.notice)

    @property
    def notice(self) -> str:
        """What to tell the operator at every start; empty where there is nothing to tell."""
        return f"development mode: the keys in {self.folder} lie unencrypted" if self.development else ""

    def read(self, name: str) -> Secret:
        """Return an entry's bytes, decrypted."""
        path = self._path(name)
        raw = read_private(path)
        if raw is None:
            raise KeyMissingError(f"there is no key {name} in {self.folder}")
        if self._sealer is None:
            return Secret(raw)
        try:
            return self._sealer.open(name, raw)
        except SealingError as error:
            raise KeyStoreError(f"{path}: {error.message}", hint=error.hint or RESTORE) from error

    def write(self, name: str, value: Secret) -> None:
        """Create or replace an entry, as a whole or not at all."""
        path = self._path(name)
        check_size(name, value)
        with self._lock:
            self._replace(path, value.reveal() if self._sealer is None else self._sealer.seal(name, value))

    def delete(self, name: str) -> None:
        """Remove an entry."""
        with self._lock, contextlib.suppress(FileNotFoundError):
            self._path(name).unlink()
            self._sync_folder()

    def names(self) -> tuple[str, ...]:
        """Return the names of all entries, sorted."""
        found = (path.name.removesuffix(self._suffix) for path in self.folder.iterdir() if path.name != HEADER_NAME)
        return tuple(sorted(name for name in found if NAME.fullmatch(name)))

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold a lock on the folder, which ends with the process at the latest; waits for whoever has it."""
        try:
            descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise KeyStoreError(f"cannot lock the folder {self.folder}: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def stamp(self, name: str) -> object:
        """Return what tells one file of this name from the next."""
        return stamp_of(f"{self._name}/{name}{self._suffix}")

    def _path(self, name: str) -> Path:
        return self.folder / (check_name(name) + self._suffix)

    def _open_sealer(self, passphrase: Secret | None) -> Sealer | None:
        header_path = self.folder / HEADER_NAME
        header = read_private(header_path)
        if passphrase is None:
            if header is not None:
                raise KeyStoreError(
                    f"the keys in {self.folder} are encrypted, and no passphrase was given",
                    hint="set RINGWALL_KEY_PASSPHRASE_FILE to a file that holds it",
                )
            return None
        if header is None:
            unencrypted = [path.name for path in self.folder.iterdir() if NAME.fullmatch(path.name)]
            if unencrypted:
                raise KeyStoreError(
                    f"{self.folder} holds unencrypted keys from development mode, such as {min(unencrypted)}",
                    hint="use another state folder, or remove this one: keys that lay unencrypted are not to be kept",
                )
            sealer, header = Sealer.create(passphrase)
            self._replace(header_path, header)
            return sealer
        try:
            return Sealer.load(passphrase, header)
        except SealingError as error:
            raise KeyStoreError(f"{header_path}: {error.message}", hint=error.hint) from error

    @staticmethod
    def _replace(path: Path, content: bytes) -> None:
        try:
            replace_file(path, content)
        except StorageError as error:
            raise KeyStoreError(error.message, hint=error.hint) from error

    def _sync_folder(self) -> None:
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read_private(path: Path) -> bytes | None:
    """Return a file's bytes, None where there is no file; refuse one that others can read, a link or a huge one."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KeyStoreError(f"cannot read {path}: {error.strerror}", hint="it must be a plain file of yours") from error
    try:
        _check_private(os.fstat(descriptor), path, want_folder=False)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            raw = file.read(MAX_ENTRY_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(raw) > MAX_ENTRY_BYTES:
        raise KeyStoreError(f"{path} is larger than any key", hint=RESTORE)
    return raw


def _check_private(status: os.stat_result, path: Path, *, want_folder: bool) -> None:
    if not (stat.S_ISDIR(status.st_mode) if want_folder else stat.S_ISREG(status.st_mode)):
        raise KeyStoreError(f"{path} is not a {'folder' if want_folder else 'plain file'}")
    if status.st_uid != os.geteuid():
        raise KeyStoreError(f"{path} belongs to another user (uid {status.st_uid})", hint="run as the user who owns it")
    if status.st_mode & 0o077:
        mode = "700" if want_folder else "600"
        raise KeyStoreError(
            f"{path} can be reached by other users (mode {stat.S_IMODE(status.st_mode):04o})",
            hint=f"chmod {mode} {path}; if others had access to the machine, rotate the keys",
        )
