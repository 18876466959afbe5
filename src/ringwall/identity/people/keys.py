"""Keys that protect what is kept about people, all derived from one that lies in the key store."""

import base64
import binascii
import secrets
from dataclasses import dataclass
from typing import Final, Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ringwall.identity.keystore import KeyMissingError, KeyStore, KeyStoreError
from ringwall.model.secret import Secret

_ENTRY: Final = "people"
_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class PeopleKeys:
    """One key for each purpose (RFC 5869), so that none can stand in for another.

    Attributes:
        challenges: authenticates the challenges that authenticators sign.
        devices: authenticates the tokens of devices that have signed in before.
        totp: encrypts the secrets of authenticator apps, which must be readable to be checked.
    """

    challenges: Secret
    devices: Secret
    totp: Secret

    @classmethod
    def of(cls, key: Secret) -> Self:
        """Derive the keys from one of 32 random bytes."""
        return cls(*(_derived(key, purpose) for purpose in ("challenges", "devices", "totp")))

    @classmethod
    def load(cls, store: KeyStore) -> Self:
        """Return the keys of a key store; one that has none is given a fresh one."""
        with store.exclusive():  # of processes that begin together, one makes it
            try:
                kept = store.get_json(_ENTRY)
            except KeyMissingError:
                kept = {"key": base64.b64encode(secrets.token_bytes(_BYTES)).decode("ascii")}
                store.put_json(_ENTRY, kept)
        try:
            key = base64.b64decode(kept["key"], validate=True)
            if len(key) != _BYTES:
                raise ValueError  # noqa: TRY301  # treated as any other damage
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise KeyStoreError(f"the entry {_ENTRY}.json is damaged", hint="restore it from a backup") from error
        return cls.of(Secret(key))


def _derived(key: Secret, purpose: str) -> Secret:
    info = f"ringwall people {purpose}".encode()
    return Secret(HKDF(algorithm=SHA256(), length=_BYTES, salt=None, info=info).derive(key.reveal()))
