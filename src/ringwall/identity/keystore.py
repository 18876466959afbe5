"""Where private keys and small secrets lie: a folder that only its owner can read.

Outside development mode every entry is encrypted (see `ringwall.identity.sealing`). In development mode entries lie as
they are, which the store says when it is opened. One folder is one or the other, never both: a folder
of unencrypted keys cannot be opened with a passphrase, nor a sealed folder without one.
"""

import contextlib
import fcntl
import itertools
import json
import logging
import os
import re
import stat
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ringwall.identity.sealing import HEADER_NAME, Sealer, SealingError
from ringwall.model.durable import StorageError, replace_file, stamp_of
from ringwall.model.errors import RingwallError
from ringwall.model.secret import Secret

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

MAX_ENTRY_BYTES: Final = 65_536
MIN_PASSPHRASE_BYTES: Final = 12
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,99}\.(pem|json)")
_SEALED = ".sealed"

_log = logging.getLogger(__name__)


class KeyStoreError(RingwallError):
    """Keys cannot be read or written; nothing was changed."""

    code = "keystore"


class KeyMissingError(KeyStoreError):
    """There is no entry of that name."""

    code = "key-missing"


class KeyStore(ABC):
    """Named entries: private keys (`name.pem`) and small JSON secrets (`name.json`).

    An entry is replaced as a whole or not at all, also when the machine stops in the middle.
    """

    development: bool
    """True where entries are not encrypted at rest."""

    @abstractmethod
    def read(self, name: str) -> Secret:
        """Return an entry's bytes; KeyMissingError where there is none, KeyStoreError where it is not to be trusted."""

    @abstractmethod
    def write(self, name: str, value: Secret) -> None:
        """Create or replace an entry, durably."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Remove an entry; nothing happens where there is none."""

    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Return the names of all entries, sorted."""

    @abstractmethod
    def exclusive(self) -> AbstractContextManager[None]:
        """Return a context that one holder at a time is in, of all threads and processes that have this store open.

        Whoever changes an entry by what it says now does so within; it cannot be entered twice.
        """

    @abstractmethod
    def stamp(self, name: str) -> object:
        """Return what changes whenever an entry is replaced, by whichever process; None where there is none. Cheap."""

    def put_key(self, name: str, key: PrivateKey) -> None:
        """Keep a private key as `name.pem` (PKCS#8)."""
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self.write(f"{name}.pem", Secret(pem))

    def get_key(self, name: str) -> PrivateKey:
        """Return the private key kept as `name.pem`; raise KeyStoreError where it is not an EC or RSA key."""
        try:
            key = serialization.load_pem_private_key(self.read(f"{name}.pem").reveal(), password=None)
        except (ValueError, TypeError) as error:
            raise KeyStoreError(
                f"the entry {name}.pem does not hold a private key",
                hint="restore the folder from a backup; to start anew, remove the whole folder",
            ) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise KeyStoreError(f"the entry {name}.pem holds a key of a kind that is not used here")
        return key

    def put_json(self, name: str, value: Mapping[str, Any]) -> None:
        """Keep a JSON object as `name.json`."""
        self.write(f"{name}.json", Secret(json.dumps(value, sort_keys=True)))

    def get_json(self, name: str) -> dict[str, Any]:
        """Return the JSON object kept as `name.json`; raise KeyStoreError where it is not one."""
        try:
            value = json.loads(self.read(f"{name}.json").reveal())
        except (ValueError, RecursionError) as error:
            raise KeyStoreError(f"the entry {name}.json does not hold JSON", hint=_RESTORE) from error
        if not isinstance(value, dict):
            raise KeyStoreError(f"the entry {name}.json does not hold a JSON object", hint=_RESTORE)
        return value


class MemoryKeyStore(KeyStore):
    """Entries that end with the process; for tests."""

    development = True

    def __init__(self) -> None:
        self._entries: dict[str, Secret] = {}
        self._written: dict[str, int] = {}
        self._count = itertools.count()
        self._lock = threading.Lock()
        self._turn = threading.Lock()

    def read(self, name: str) -> Secret:
        """Return an entry's bytes."""
        with self._lock:
            value = self._entries.get(check_name(name))
        if value is None:
            raise KeyMissingError(f"there is no entry {name}")
        return value

    def write(self, name: str, value: Secret) -> None:
        """Create or replace an entry."""
        check_name(name)
        check_size(name, value)
        with self._lock:
            self._entries[name] = value
            self._written[name] = next(self._count)

    def delete(self, name: str) -> None:
        """Remove an entry."""
        with self._lock:
            self._entries.pop(check_name(name), None)
            self._written.pop(name, None)

    def names(self) -> tuple[str, ...]:
        """Return the names of all entries, sorted."""
        with self._lock:
            return tuple(sorted(self._entries))

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold a lock among threads."""
        with self._turn:
            yield

    def stamp(self, name: str) -> object:
        """Return the number of the write that made the entry."""
        return self._written.get(name)


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
            raise KeyStoreError(f"{path}: {error.message}", hint=error.hint or _RESTORE) from error

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
        return tuple(sorted(name for name in found if _NAME.fullmatch(name)))

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
            unencrypted = [path.name for path in self.folder.iterdir() if _NAME.fullmatch(path.name)]
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


_RESTORE = "restore the folder from a backup; to start anew, remove the whole folder"


def check_name(name: str) -> str:
    """Return `name` if it can name an entry; anything that could leave the folder is refused."""
    if not _NAME.fullmatch(name):
        raise KeyStoreError(
            f"{name!r} cannot name a key", hint="lower-case letters, digits and dashes, then .pem or .json"
        )
    return name


def check_size(name: str, value: Secret) -> None:
    """Refuse an entry that `read` would not take back."""
    if len(value.reveal()) > MAX_ENTRY_BYTES // 2:
        raise KeyStoreError(f"the entry {name} is larger than {MAX_ENTRY_BYTES // 2} bytes")


def passphrase_from(environment: Mapping[str, str]) -> Secret | None:
    """Return the passphrase that the environment gives, or None where it gives none.

    `RINGWALL_KEY_PASSPHRASE_FILE` names a file that only its owner can read; one line end after the
    passphrase is not part of it. `RINGWALL_KEY_PASSPHRASE` gives it directly; giving both is an error.
    """
    path, direct = environment.get("RINGWALL_KEY_PASSPHRASE_FILE"), environment.get("RINGWALL_KEY_PASSPHRASE")
    if path and direct:
        raise KeyStoreError("RINGWALL_KEY_PASSPHRASE_FILE and RINGWALL_KEY_PASSPHRASE are both set", hint="set one")
    if path:
        return passphrase_in(Path(path))
    return checked_passphrase(direct.encode()) if direct else None


def passphrase_in(path: Path) -> Secret:
    """Return the passphrase that a file holds, without one line end; KeyStoreError where others can read the file."""
    raw = read_private(path)
    if raw is None:
        raise KeyStoreError(f"the passphrase file {path} does not exist")
    return checked_passphrase(raw.removesuffix(b"\n").removesuffix(b"\r"))


def checked_passphrase(value: bytes) -> Secret:
    """Return a passphrase; raise KeyStoreError where it is too short."""
    if len(value) < MIN_PASSPHRASE_BYTES:
        raise KeyStoreError(
            f"the key passphrase is shorter than {MIN_PASSPHRASE_BYTES} bytes",
            hint="make one with: python -c 'import secrets; print(secrets.token_urlsafe(24))'",
        )
    return Secret(value)


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
        raise KeyStoreError(f"{path} is larger than any key", hint=_RESTORE)
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
