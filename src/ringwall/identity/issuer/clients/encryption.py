"""What a client that registers itself wants encrypted (OpenID Connect Registration 1.0, section 2; RFC 9701, 6).

It would rely on that, so whatever of it cannot be done is refused.
"""

from collections.abc import Mapping
from typing import Any, Final

from ringwall.identity.issuer.clients.metadata_errors import MetadataRefusedError
from ringwall.identity.issuer.encryption_ring import ALGORITHMS
from ringwall.identity.tokens.encryption import CONTENT, ENCRYPTION, KEY_MANAGEMENT, EncryptionKey
from ringwall.identity.tokens.errors import KeyRefusedError
from ringwall.identity.tokens.keys import MAX_KID
from ringwall.identity.tokens.signing import ALGORITHM

_ANSWERS: Final = tuple(f"{what}_encrypted_response" for what in ("id_token", "userinfo", "introspection"))
_REQUESTS: Final = "request_object_encryption"
MEMBERS: Final = frozenset(f"{what}_{part}" for what in (*_ANSWERS, _REQUESTS) for part in ("alg", "enc"))
"""Everything of this kind that is taken."""


def encryption_of(asked: Mapping[str, Any]) -> dict[str, str]:
    """Return the members that are registered, or raise MetadataRefusedError.

    1. How content is encrypted is said only together with how its key is. 2. Both are of the algorithms that exist; of
    request objects, those for which the issuer has a key. What was left out of the two is A128CBC-HS256, the default.
    3. What is told about tokens is signed as everything is, whatever the default is (RFC 9701, section 6).
    """
    found: dict[str, str] = {}
    if "introspection_signed_response_alg" in asked:  # 3
        if asked["introspection_signed_response_alg"] != ALGORITHM:
            raise MetadataRefusedError(f"`introspection_signed_response_alg` can only be {ALGORITHM}")
        found["introspection_signed_response_alg"] = ALGORITHM
    for what in (*_ANSWERS, _REQUESTS):
        algorithm, content = asked.get(f"{what}_alg"), asked.get(f"{what}_enc", CONTENT[0])
        if algorithm is None:
            if f"{what}_enc" in asked:  # 1
                raise MetadataRefusedError(f"`{what}_enc` needs `{what}_alg`")
            continue
        for name, value, known in (
            ("alg", algorithm, ALGORITHMS if what == _REQUESTS else KEY_MANAGEMENT),
            ("enc", content, CONTENT),
        ):
            if not isinstance(value, str) or value not in known:  # 2
                raise MetadataRefusedError(f"`{what}_{name}` is one of {', '.join(known)}")
        found |= {f"{what}_alg": algorithm, f"{what}_enc": content}
    return found


def encryption_keys(
    members: list[Mapping[str, Any]], encryption: Mapping[str, str], *, public: bool
) -> list[Mapping[str, Any]]:
    """Return those of a client's keys with which it is to be told something, or raise MetadataRefusedError.

    Each algorithm takes the first good one. A public client has none: it cannot keep a secret (RFC 6749, section 2.1).

    Args:
        members: of its `jwks`, as they came.
        encryption: what `encryption_of` returned.
        public: whether it is a public client.
    """
    found: list[Mapping[str, Any]] = []
    for algorithm in dict.fromkeys(encryption[f"{what}_alg"] for what in _ANSWERS if f"{what}_alg" in encryption):
        if public:
            raise MetadataRefusedError("a client that cannot keep a secret is told nothing encrypted")
        key = _first(members, algorithm)
        if key not in found:
            found.append(key)
    return found


def _first(members: list[Mapping[str, Any]], algorithm: str) -> Mapping[str, Any]:
    why = "it has none with `use: enc`"
    for jwk in members:
        if jwk.get("use") != ENCRYPTION:
            continue
        kid = jwk.get("kid", "")
        if not isinstance(kid, str) or len(kid) > MAX_KID or not (kid.isascii() and kid.isprintable()):
            why = "a `kid` is not plain ASCII"
            continue
        try:
            EncryptionKey.of(jwk, algorithm)
        except KeyRefusedError as error:
            why = error.message
        else:
            return jwk
    raise MetadataRefusedError(f"`jwks` has no good key to encrypt for with {algorithm}: {why}")
