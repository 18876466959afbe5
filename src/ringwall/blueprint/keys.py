"""What can be said about public keys (JWK) that stand in a blueprint, before anybody uses them."""

from typing import Final

from ringwall.blueprint.report import Report
from ringwall.blueprint.shape import ClaimValue, Key
from ringwall.model.errors import Span

_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})
_MEMBERS: Final = {"RSA": ("n", "e"), "EC": ("crv", "x", "y")}
"""What makes a public key (RFC 7518, sections 6.2.1 and 6.3.1)."""


def check_public(key: Key, owner: Span, report: Report) -> None:
    """Report secret parts: a private or symmetric key is never written into a blueprint (RFC 7517, section 9.2)."""
    for name, _ in key:
        if name.value in _PRIVATE:
            hint = "remove it, and make a new key: this one has been written down"
            report.error("private-key", f"{name.value!r} is the secret part of a key", name.span, hint=hint)
    if "kty" not in members_of(key):
        report.error("missing-key", "a key needs its type, 'kty'", owner)


def members_of(key: Key) -> dict[str, ClaimValue]:
    """Return the members of a key with where they stand."""
    return {name.value: value for name, value in key}


def key_type(algorithm: str) -> str:
    """Return `kty` of the keys of a key management algorithm (RFC 7518, section 6.1)."""
    return "RSA" if algorithm.startswith("RSA") else "EC"


def can_encrypt(key: Key, algorithm: str) -> bool:
    """Return whether a key is for encryption, and of the type that an algorithm needs (RFC 7517, section 4.2)."""
    members = members_of(key)
    use, kty = members.get("use"), members.get("kty")
    return use is not None and use.value == "enc" and kty is not None and kty.value == key_type(algorithm)


def is_whole(key: Key) -> bool:
    """Return whether a key has all that its type needs."""
    members = {name: at.value for name, at in members_of(key).items()}
    needed = _MEMBERS.get(str(members.get("kty")), ())
    return bool(needed) and all(isinstance(members.get(name), str) for name in needed)
