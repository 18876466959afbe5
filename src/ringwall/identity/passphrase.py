"""The passphrase under which keys are kept: where it comes from, and how long it must be."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ringwall.identity.key_folder import read_private
from ringwall.identity.keystore import KeyStoreError
from ringwall.model.secret import Secret

MIN_PASSPHRASE_BYTES: Final = 12


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
