"""Secrets of machine clients: made here, shown once, kept as hashes.

A secret is 256 random bits, so one SHA-256 is as good as a slow hash: there is nothing to guess
(NIST SP 800-63B, section 5.1.2.2, asks for slow hashes of what people choose).
"""

import fcntl
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from ringwall.identity.issuer.directory import Directory
from ringwall.identity.turn import FirstLook, every_time
from ringwall.model.clock import Clock
from ringwall.model.durable import StorageError, replace_file, stamp_of
from ringwall.model.errors import RingwallError
from ringwall.model.secret import Secret

PREFIX: Final = "rwcs_"
"""Begins every client secret, so that scanners of source code can know one."""
MAX_SECRETS: Final = 2
"""How many secrets of a client work at once: the one in use, and its successor."""
_MAX_FILE: Final = 4_194_304
_FORMAT: Final = 1


class UnknownClientError(RingwallError):
    """There is no such client in the plan."""

    code = "unknown-client"


class ClientSecrets:
    """Checks secrets against the file; follows it when it is replaced."""

    def __init__(self, file: Path, *, first_look: FirstLook = every_time) -> None:
        self._file = file
        self._name = os.fspath(file)
        self._first_look = first_look
        self._stamp = stamp_of(file)
        self._hashes = _hashes_by_client(_read(file))

    def holds(self, client: str, secret: Secret) -> bool:
        """Return whether this is a secret of that client; takes as long for a client that does not exist."""
        if self._first_look(self) and (stamp := stamp_of(self._name)) != self._stamp:
            self._hashes = _hashes_by_client(_read(self._file))
            self._stamp = stamp
        presented = hashlib.sha256(secret.reveal()).hexdigest()
        kept = self._hashes.get(client, ())
        for _ in range(MAX_SECRETS - len(kept)):
            hmac.compare_digest(presented, presented)  # takes the time of a comparison, decides nothing
        matches = [hmac.compare_digest(presented, known) for known in kept]  # all of them, whichever matches
        return any(matches)


def create_client_secret(file: Path, client: str, *, directory: Directory, clock: Clock) -> Secret:
    """Make a secret for a client of the plan, keep its hash, and return it: the only time that it can be seen.

    The newest MAX_SECRETS of a client work, so a new one can be put in place before the old one stops. A running
    issuer takes it at once.
    """
    if client not in directory.clients:
        known = ", ".join(sorted(directory.clients)[:20]) or "none"
        raise UnknownClientError(f"there is no client {client[:80]!r} in the plan", hint=f"its clients: {known}")
    if directory.clients[client].public:
        raise UnknownClientError(
            f"{client!r} is a public client, which cannot keep a secret", hint="PKCE protects it instead"
        )
    secret = Secret(PREFIX + secrets.token_urlsafe(32))
    with _locked(file):
        kept = _read(file)
        entries = [*kept.get(client, []), {"sha256": _hash(secret), "created": int(clock.now())}]
        _write(file, {**kept, client: entries[-MAX_SECRETS:]})
    return secret


def client_secrets(file: Path, client: str) -> tuple[int, ...]:
    """Return when the secrets of a client that work were made, in seconds since the epoch; nothing else can be told."""
    return tuple(int(entry["created"]) for entry in _read(file).get(client, []))


def revoke_client_secrets(file: Path, client: str) -> int:
    """Forget every secret of a client, and return how many there were."""
    with _locked(file):
        kept = _read(file)
        removed = kept.pop(client, [])
        _write(file, kept)
    return len(removed)


def _hash(secret: Secret) -> str:
    return hashlib.sha256(secret.reveal()).hexdigest()


def _hashes_by_client(kept: Mapping[str, list[dict[str, Any]]]) -> dict[str, tuple[str, ...]]:
    return {client: tuple(entry["sha256"] for entry in entries) for client, entries in kept.items()}


def _read(file: Path) -> dict[str, list[dict[str, Any]]]:
    try:
        with file.open("rb") as stream:
            raw = stream.read(_MAX_FILE + 1)
        value = json.loads(raw[:_MAX_FILE])
        clients: dict[str, list[dict[str, Any]]] = value["clients"]
        for entries in clients.values():
            for entry in entries:
                bytes.fromhex(entry["sha256"])
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StorageError(f"cannot read {file}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StorageError(f"{file} is damaged", hint="restore it, or remove it and make new client secrets") from error
    return clients


def _write(file: Path, clients: Mapping[str, list[dict[str, Any]]]) -> None:
    replace_file(file, json.dumps({"format": _FORMAT, "clients": clients}, indent=1, sort_keys=True).encode())


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Keep two commands from changing the file at once."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
