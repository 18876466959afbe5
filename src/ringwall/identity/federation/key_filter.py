"""From whatever an issuer publishes to the keys that proxies are given: signature keys with one algorithm each."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ringwall.identity.tokens.errors import KeyRefusedError
from ringwall.identity.tokens.keys import VerificationKey, implied_algorithms, parse_key, read_set

EMPTY: Final = '{"keys":[]}'
_MEMBERS: Final = ("kty", "crv", "x", "y", "n", "e", "kid")


@dataclass(frozen=True, slots=True)
class UsableKeys:
    """What is left of a key set.

    Attributes:
        jwks: a JWK set (RFC 7517, section 5) as JSON; equal sets give equal texts. Every key has `use` and `alg`.
        count: how many keys it holds.
        dropped: a sentence for each key that was left out.
    """

    jwks: str
    count: int
    dropped: tuple[str, ...]


def usable_keys(published: bytes | str, algorithms: Sequence[str]) -> UsableKeys:
    """Return the keys of a published set that may verify tokens signed with one of `algorithms`.

    A key that names no algorithm gets the one that its type and curve imply; an RSA key fits several, so it is
    given once for each of `algorithms` that fits: proxies pin a token's algorithm by the key's. Left out are
    symmetric, private, weak and encryption keys, and keys that share their `kid` with a different key.

    Raises:
        KeyRefusedError: this is no key set at all.
    """
    kept: dict[tuple[str, str, tuple[str, ...]], tuple[VerificationKey, dict[str, Any]]] = {}
    dropped: list[str] = []
    for number, jwk in enumerate(read_set(published), 1):
        try:
            for candidate in _candidates(jwk, algorithms):
                key = parse_key(candidate)
                kept[key.kid, key.algorithm.name, key.thumbprint] = (key, candidate)
        except KeyRefusedError as error:
            dropped.append(f"key {number} is left out: {error.message}")
    ambiguous = _ambiguous_kids([key for key, _ in kept.values()])
    dropped += [
        f"the keys called {kid[:80]!r} are left out: several different keys share that name" for kid in ambiguous
    ]
    chosen = [jwk for (kid, _, _), (_, jwk) in sorted(kept.items(), key=lambda item: item[0]) if kid not in ambiguous]
    text = json.dumps({"keys": chosen}, sort_keys=True, separators=(",", ":"))
    return UsableKeys(text, len(chosen), tuple(dropped))


def _candidates(jwk: Mapping[str, Any], algorithms: Sequence[str]) -> list[dict[str, Any]]:
    """Return the key once for each algorithm that it is to be used with; parse_key judges everything else."""
    named = [jwk["alg"]] if "alg" in jwk else list(implied_algorithms(jwk))
    wanted = [name for name in named if name in algorithms]
    if not wanted:
        parse_key({**jwk, "alg": named[0]} if named else jwk)  # says what is wrong with the key itself, if anything is
        raise KeyRefusedError("alg", f"its algorithm is none of {', '.join(algorithms)}")
    # Everything that parse_key looks at is passed on to it, but only what a verifier needs is kept.
    needed = {name: jwk[name] for name in _MEMBERS if name in jwk}
    for name in wanted:
        parse_key({**jwk, "alg": name})
    return [{**needed, "use": "sig", "alg": name} for name in wanted]


def _ambiguous_kids(keys: Sequence[VerificationKey]) -> list[str]:
    owners: dict[str, set[tuple[str, ...]]] = {}
    for key in keys:
        owners.setdefault(key.kid, set()).add(key.thumbprint)
    return sorted(kid for kid, thumbprints in owners.items() if kid and len(thumbprints) > 1)
