"""Password hashes that other systems made: PBKDF2 (RFC 8018, section 5.2) and bcrypt, kept until the next sign-in.

Those of PBKDF2 are kept as PHC strings. Argon2 hashes need no change, as they are PHC strings already, and bcrypt's
keep the form that every system gives them.
"""

import base64
import binascii
import hashlib
import hmac
import re
from typing import Final

from ringwall.identity.people.errors import PeopleError
from ringwall.model.secret import Secret

MAX_ITERATIONS: Final = 10_000_000
"""More would let whoever wrote the import file keep a core busy for seconds with each sign-in."""
MAX_ARGON2_MEMORY: Final = 262_144
"""KiB; more would let an import file exhaust the memory."""
MAX_ARGON2_PASSES: Final = 64
_MIN_BCRYPT_COST: Final = 4
MAX_BCRYPT_COST: Final = 14
"""Some seconds with each try; more would keep a core busy."""
_BCRYPT_BYTES: Final = 72
"""bcrypt looks at no more of a password (Provos and Mazieres, "A Future-Adaptable Password Scheme", 1999)."""
_DIGESTS: Final = {"sha1": "sha1", "sha256": "sha256", "sha512": "sha512"}
_MIN_HASH_BYTES: Final = 16
_MAX_BYTES: Final = 1024
_PBKDF2 = re.compile(r"\$pbkdf2-(sha1|sha256|sha512)\$i=([0-9]{1,8})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)", re.ASCII)
_ARGON2 = re.compile(
    r"\$argon2(?:id|i|d)\$v=(?:16|19)\$m=([0-9]{1,9}),t=([0-9]{1,6}),p=([0-9]{1,3})\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{22,}",
    re.ASCII,
)

_BCRYPT = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}", re.ASCII)


class ImportedHashError(PeopleError):
    """A password hash is not of a kind that can be verified here."""

    code = "password-hash"


def pbkdf2(digest: str, iterations: int, salt: bytes, value: bytes) -> str:
    """Return the PHC string of a PBKDF2 hash; ImportedHashError where it could not be verified, or should not."""
    return checked(f"$pbkdf2-{digest}$i={iterations}${_encode(salt)}${_encode(value)}")


def argon2(kind: str, *, version: int, memory: int, passes: int, lanes: int, salt: bytes, value: bytes) -> str:
    """Return the PHC string of an Argon2 hash (memory in KiB); ImportedHashError as above."""
    return checked(f"$argon2{kind}$v={version}$m={memory},t={passes},p={lanes}${_encode(salt)}${_encode(value)}")


def checked(text: str) -> str:
    """Return a PHC string that can be kept; ImportedHashError where it is of another kind, or costs too much."""
    if found := _PBKDF2.fullmatch(text):
        size = len(_decode(found[4]))
        if not 0 < int(found[2]) <= MAX_ITERATIONS or not _MIN_HASH_BYTES <= size <= _MAX_BYTES:
            raise ImportedHashError("a PBKDF2 hash has an iteration count or a length that cannot be right")
        _decode(found[3])
        return text
    if found := _ARGON2.fullmatch(text):
        memory, passes, lanes = int(found[1]), int(found[2]), int(found[3])
        if not (0 < passes <= MAX_ARGON2_PASSES and lanes > 0 and 8 * lanes <= memory <= MAX_ARGON2_MEMORY):
            raise ImportedHashError("an Argon2 hash has a cost that cannot be right")
        return text
    if found := _BCRYPT.fullmatch(text):
        if not _MIN_BCRYPT_COST <= int(found[1]) <= MAX_BCRYPT_COST:
            raise ImportedHashError("a bcrypt hash has a cost that cannot be right")
        return text
    raise ImportedHashError(
        f"a password hash begins {text[:12]!r}, which is not known here",
        hint="PBKDF2, bcrypt and Argon2 hashes can be imported; others sign in by an invitation",
    )


def verify_pbkdf2(password: Secret, kept: str) -> bool:
    """Return whether this is the password of a hash that `pbkdf2` gave."""
    found = _PBKDF2.fullmatch(kept)
    if found is None:
        raise ImportedHashError("a password hash is kept in a form that is not known here")
    value = _decode(found[4])
    made = hashlib.pbkdf2_hmac(_DIGESTS[found[1]], password.reveal(), _decode(found[3]), int(found[2]), len(value))
    return hmac.compare_digest(made, value)


def verify_bcrypt(password: Secret, kept: str) -> bool:
    """Return whether this is the password of a bcrypt hash, of which only the first 72 bytes count."""
    import bcrypt  # noqa: PLC0415  # only where somebody was imported with such a hash

    try:
        return bcrypt.checkpw(password.reveal()[:_BCRYPT_BYTES], kept.encode("ascii"))
    except ValueError as error:
        raise ImportedHashError("a password hash is kept in a form that is not known here") from error


def candidates(typed: Secret, form: Secret) -> tuple[Secret, ...]:
    """Return what a foreign system may have hashed: the normalised password, and the one that was typed."""
    return (form,) if typed == form else (form, typed)


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii").rstrip("=")


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise ImportedHashError("a password hash is damaged") from error
