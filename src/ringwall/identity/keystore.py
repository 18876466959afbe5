"""Where private keys and small secrets are kept: what such a place offers, and one in memory for tests.

The one that processes use is a folder (see `ringwall.identity.key_folder`).
"""

import contextlib
import itertools
import json
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ringwall.model.errors import RingwallError
from ringwall.model.secret import Secret

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

MAX_ENTRY_BYTES: Final = 65_536
RESTORE: Final = "restore the folder from a backup; to start anew, remove the whole folder"
NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,99}\.(pem|json)")


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
                hint=RESTORE,
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
            raise KeyStoreError(f"the entry {name}.json does not hold JSON", hint=RESTORE) from error
        if not isinstance(value, dict):
            raise KeyStoreError(f"the entry {name}.json does not hold a JSON object", hint=RESTORE)
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


def check_name(name: str) -> str:
    """Return `name` if it can name an entry; anything that could leave the folder is refused."""
    if not NAME.fullmatch(name):
        raise KeyStoreError(
            f"{name!r} cannot name a key", hint="lower-case letters, digits and dashes, then .pem or .json"
        )
    return name


def check_size(name: str, value: Secret) -> None:
    """Refuse an entry that `read` would not take back."""
    if len(value.reveal()) > MAX_ENTRY_BYTES // 2:
        raise KeyStoreError(f"the entry {name} is larger than {MAX_ENTRY_BYTES // 2} bytes")
