"""Recovery codes: for the day when the phone is lost. Look-up secrets of NIST SP 800-63B, section 5.1.2.

A code has 60 bits, which can be copied by hand, and less than the 112 that would let a plain hash do; so what is
kept is a slow hash (section 5.1.2.2), salted with the account, and each works once.
"""

import hashlib
import secrets
from typing import Final

from ringwall.identity.people.passwords import PasswordHasher
from ringwall.model.secret import Secret

HOW_MANY: Final = 10
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no i, l, o, u."""
_MEANT: Final = str.maketrans({"o": "0", "i": "1", "l": "1", "-": None, " ": None})
_GROUPS: Final = 3
_GROUP: Final = 4
_MAX_TYPED: Final = 64


def new_codes() -> tuple[Secret, ...]:
    """Return a fresh set of codes, such as `k3v9-0tq2-xm5d`, to be shown once."""
    return tuple(_new_code() for _ in range(HOW_MANY))


def understood(typed: str) -> Secret | None:
    """Return the code that somebody typed, however spaced and whatever letters were mistaken; None for no code."""
    if len(typed) > _MAX_TYPED:
        return None
    code = typed.lower().translate(_MEANT)
    if len(code) != _GROUPS * _GROUP or not set(code) <= set(_ALPHABET):
        return None
    return Secret(_grouped(code))


async def digest(code: Secret, *, account: str, hasher: PasswordHasher) -> bytes:
    """Return what is kept of a code: 32 bytes, which say nothing about it, and differ for another account."""
    salt = hashlib.sha256(b"ringwall recovery " + account.encode()).digest()[:16]
    return await hasher.secret_hash(code, salt)


def _new_code() -> Secret:
    return Secret(_grouped("".join(secrets.choice(_ALPHABET) for _ in range(_GROUPS * _GROUP))))


def _grouped(code: str) -> str:
    return "-".join(code[start : start + _GROUP] for start in range(0, len(code), _GROUP))
