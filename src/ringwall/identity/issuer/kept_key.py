"""Random keys that are no signing keys: made when first needed, kept beside those, the same in every process."""

import secrets
from typing import Final

from ringwall.identity.keystore import KeyMissingError, KeyStore
from ringwall.model.secret import Secret

KEY_BYTES: Final = 32


def kept_key(store: KeyStore, name: str) -> Secret:
    """Return the key that is kept under a name; a fresh one is kept where there is none yet."""
    with store.exclusive():  # of processes that begin together, one makes it
        try:
            return Secret(bytes.fromhex(store.get_json(name)["key"]))
        except KeyMissingError:
            fresh = secrets.token_bytes(KEY_BYTES)
            store.put_json(name, {"key": fresh.hex()})
            return Secret(fresh)
