"""Handles: random values that open something. The database knows only their SHA-256.

A handle has 256 random bits, so one SHA-256 is as good as a slow hash: there is nothing to guess.
"""

import hashlib
import secrets
from typing import Final

from ringwall.model.secret import Secret

HANDLE_BYTES: Final = 32
ID_BYTES: Final = 16


def new_handle(prefix: str = "") -> Secret:
    """Return a fresh handle as text: `prefix`, then 43 characters that are safe in URLs."""
    return Secret(prefix + secrets.token_urlsafe(HANDLE_BYTES))


def new_id() -> str:
    """Return a fresh identifier of 22 characters: unique and unguessable, but no secret.

    It does not begin with `-`, so that no command takes it for an option.
    """
    while (made := secrets.token_urlsafe(ID_BYTES)).startswith("-"):
        pass
    return made


def digest(handle: Secret) -> bytes:
    """Return what the database keeps of a handle."""
    return hashlib.sha256(handle.reveal()).digest()
