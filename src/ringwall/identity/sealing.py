"""Encryption of small secrets under a passphrase: scrypt (RFC 7914), then AES-256-GCM (SP 800-38D).

The passphrase is stretched once per store. A header keeps the salt and the cost, and a sealed known
text that tells a wrong passphrase from a damaged entry. The name of an entry is authenticated
with it, so entries cannot be swapped. Not defended: putting an older copy of an entry back in its own place.
"""

import base64
import binascii
import json
import secrets
from typing import Any, Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from ringwall.model.errors import RingwallError
from ringwall.model.secret import Secret

HEADER_NAME: Final = "keystore.header"
"""File of a store's salt and cost; deleting it makes every sealed entry unreadable."""

_FORMAT: Final = "ringwall-sealed-1"
_COST: Final = {"n": 32_768, "r": 8, "p": 3}
"""32 MiB and about 0.2 s: the OWASP password storage cheat sheet's setting of this memory size."""
_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_PROBE_NAME: Final = "probe"
_PROBE: Final = Secret(b"the passphrase is right")


class SealingError(RingwallError):
    """A sealed text cannot be opened."""

    code = "sealed"


class Sealer:
    """Seals and opens entries under one stretched passphrase."""

    def __init__(self, key: Secret) -> None:
        self._aead = AESGCM(key.reveal())

    @classmethod
    def create(cls, passphrase: Secret) -> tuple[Self, bytes]:
        """Return a sealer with a fresh salt, and the header to keep beside the entries."""
        salt = secrets.token_bytes(_SALT_BYTES)
        sealer = cls(_stretch(passphrase, salt))
        header = {
            "format": _FORMAT,
            "kdf": {"name": "scrypt", "salt": base64.b64encode(salt).decode(), **_COST},
            "probe": sealer.seal(_PROBE_NAME, _PROBE).decode(),
        }
        return sealer, json.dumps(header, indent=1).encode()

    @classmethod
    def load(cls, passphrase: Secret, header: bytes) -> Self:
        """Return the sealer of an existing store; raise SealingError for a wrong passphrase or a damaged header."""
        try:
            fields: Any = json.loads(header)
            kdf = fields["kdf"]
            salt = base64.b64decode(kdf["salt"], validate=True)
            probe = fields["probe"].encode()
            # Only the cost written by `create` is taken: another could exhaust the memory, or be cheap to guess.
            known = fields["format"] == _FORMAT and kdf == {"name": "scrypt", "salt": kdf["salt"], **_COST}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise SealingError("this is not a key store header", hint="restore it from a backup") from error
        if not known or len(salt) != _SALT_BYTES:
            raise SealingError(
                "this key store header is damaged, or of a later version", hint="restore it from a backup"
            )
        sealer = cls(_stretch(passphrase, salt))
        try:
            sealer.open(_PROBE_NAME, probe)
        except SealingError as error:
            raise SealingError(
                "the passphrase is wrong, or this header was changed",
                hint="check RINGWALL_KEY_PASSPHRASE_FILE; without its passphrase the store cannot be opened",
            ) from error
        return sealer

    def seal(self, name: str, value: Secret) -> bytes:
        """Encrypt `value`; it opens only under the same `name`. A new random nonce each time."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return base64.b64encode(nonce + self._aead.encrypt(nonce, value.reveal(), _bound(name)))

    def open(self, name: str, sealed: bytes) -> Secret:
        """Decrypt what `seal` made for `name`; raise SealingError for anything else."""
        try:
            raw = base64.b64decode(sealed, validate=True)
            return Secret(self._aead.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _bound(name)))
        except (binascii.Error, InvalidTag, ValueError) as error:
            raise SealingError("truncated, changed, or sealed under another name") from error


def _stretch(passphrase: Secret, salt: bytes) -> Secret:
    return Secret(Scrypt(salt=salt, length=32, **_COST).derive(passphrase.reveal()))


def _bound(name: str) -> bytes:
    return f"{_FORMAT}:{name}".encode()
