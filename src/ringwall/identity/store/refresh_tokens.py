"""The form of refresh tokens: `rwrt_`, the locator of the family (22 characters), a secret (43)."""

import base64
import hashlib
import hmac
import secrets
from typing import Final, NamedTuple

from ringwall.identity.store.handles import HANDLE_BYTES, ID_BYTES, digest
from ringwall.model.secret import Secret

PREFIX: Final = "rwrt_"
"""Begins every refresh token, so that scanners of source code can know one."""

_PREFIX: Final = PREFIX.encode()
_LOCATOR_TEXT: Final = 22
_PLACE: Final = len(PREFIX) + _LOCATOR_TEXT
_LENGTH: Final = _PLACE + 43
_MASK: Final = b"ringwall refresh token successor"


class RefreshToken(NamedTuple):
    """A refresh token in its parts.

    Attributes:
        text: as it is given out, or as it was shown.
        locator: finds the family; the same in all its tokens.
        secret: the token's own 32 bytes.
    """

    text: Secret
    locator: bytes
    secret: bytes

    @classmethod
    def of(cls, locator: bytes, secret: bytes) -> "RefreshToken":
        """Put a token together."""
        return cls(Secret(_PREFIX + locator + _text(secret)), locator, secret)

    @classmethod
    def first(cls) -> "RefreshToken":
        """Return the first token of a family."""
        return cls.of(_text(secrets.token_bytes(ID_BYTES)), secrets.token_bytes(HANDLE_BYTES))

    @classmethod
    def parse(cls, text: Secret) -> "RefreshToken | None":
        """Return a token's parts, or None where it has not the form of one."""
        raw = text.reveal()
        if len(raw) != _LENGTH or not raw.startswith(_PREFIX) or not raw.isascii():
            return None
        try:
            secret = base64.b64decode(raw[_PLACE:] + b"=", altchars=b"-_", validate=True)
        except ValueError:
            return None
        return cls(text, raw[len(_PREFIX) : _PLACE], secret)

    def successor(self) -> "RefreshToken":
        """Return a fresh token of the same family."""
        return RefreshToken.of(self.locator, secrets.token_bytes(HANDLE_BYTES))

    @property
    def digest(self) -> bytes:
        """What the database keeps of it."""
        return digest(self.text)

    @property
    def place(self) -> bytes:
        """What the database keeps of its locator."""
        return hashlib.sha256(self.locator).digest()

    def seal(self, successor: "RefreshToken") -> bytes:
        """Return the secret of its successor, masked so that only who has this token can lift it."""
        return _masked(successor.secret, by=self.secret)

    def unseal(self, sealed: bytes) -> "RefreshToken":
        """Return its successor from what `seal` gave."""
        return RefreshToken.of(self.locator, _masked(sealed, by=self.secret))


def _text(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _masked(value: bytes, *, by: bytes) -> bytes:
    """Mask 32 bytes, or lift the mask."""
    mask = hmac.digest(by, _MASK, "sha256")
    return (int.from_bytes(value) ^ int.from_bytes(mask)).to_bytes(HANDLE_BYTES)
